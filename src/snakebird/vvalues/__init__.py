"""V-values: vectors indexed by tree paths, on nested dicts and on flat arrays."""

from snakebird.vvalues._algebra import (
    VValue as VValue,
    add as add,
    apply_matrix as apply_matrix,
    combine as combine,
    get as get,
    inner as inner,
    keys as keys,
    lin_comb as lin_comb,
    map_numbers as map_numbers,
    mask as mask,
    mask_sum as mask_sum,
    multiply as multiply,
    number as number,
    outer as outer,
    put as put,
    restrict as restrict,
    scale as scale,
    select as select,
    where as where,
    zero as zero,
)
from snakebird.vvalues._flat import (
    Flat as Flat,
    flatten as flatten,
    space_of as space_of,
    unflatten as unflatten,
)
from snakebird.vvalues._lists import (
    END as END,
    from_list as from_list,
    link_list as link_list,
    to_list as to_list,
)
from snakebird.vvalues._norms import (
    canonical as canonical,
    count as count,
    equal as equal,
    is_nonnegative as is_nonnegative,
    less_equal as less_equal,
    max_norm as max_norm,
    norm as norm,
    trim as trim,
)
from snakebird.vvalues._slots import place as place, rearrange as rearrange
from snakebird.vvalues._space import Space as Space
from snakebird.vvalues._text import (
    diff as diff,
    dumps as dumps,
    from_json as from_json,
    loads as loads,
    show as show,
    to_json as to_json,
)
from snakebird.vvalues._tree import (
    NUMBER as NUMBER,
    Leaf as Leaf,
    Path as Path,
    check as check,
    entries as entries,
    grow as grow,
    is_exact as is_exact,
    is_leaf as is_leaf,
    shape_of as shape_of,
    show_path as show_path,
    stored as stored,
)
