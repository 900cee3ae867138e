//! Limits on how often parameters are read again, and on how much is compared meanwhile.
//!
//! Each pass over the parameters takes time in proportion to their number, so a request with very many
//! of them could keep a CPU busy for seconds without these limits.

/// Maximum number of passes to infer the types of buffered values, and to find the one that is
/// rejected. A struct needs at most one for each of its fields.
pub(super) const MAX_PASSES: usize = 64;

/// [`MAX_PASSES`] for requests with more than [`MANY_PARAMETERS`], whose passes take long.
pub(super) const MAX_PASSES_MANY_PARAMETERS: usize = 16;

/// Number of parameters above which fewer passes are made.
pub(super) const MANY_PARAMETERS: usize = 1000;

/// Maximum number of names compared one by one, and of candidates tried.
pub(super) const MAX_COMPARED: usize = 16;

/// Maximum number of levels of brackets in a name: `range[inner][min]` has two. Each level takes a
/// stack frame.
pub(super) const MAX_BRACKET_LEVELS: usize = 16;

/// Maximum number of characters of a rejected name that are repeated in the response.
pub(super) const MAX_NAME_SHOWN: usize = 64;

/// Maximum number of objects with names in brackets that are tried for a type that does not announce
/// its fields: each takes a pass.
pub(super) const MAX_OBJECTS: usize = 16;

/// Maximum number of values read in all passes after the first. With 50,000 parameters these are 40
/// passes, about 0.4 s of a CPU.
pub(super) const MAX_READS: usize = 2_000_000;

/// Maximum number of times that a buffered value changes its type, between the variants of an untagged
/// enum.
pub(super) const MAX_TYPE_CHANGES: u8 = 4;

/// Maximum number of rejected values looked at for one change of a type.
pub(super) const MAX_TRIED: usize = 256;

/// Maximum number of buffered values that are equal to others and tried in all types: 2^6 passes.
pub(super) const MAX_EQUAL: usize = 6;

/// Maximum number of items of a buffered list that are of another type than the rest.
pub(super) const MAX_OTHER_ITEMS: usize = 16;

/// Number of items of one type after which all items of the list get that type.
pub(super) const LONG_LIST: usize = 8;

/// Maximum number of mismatches recorded in one pass. An untagged enum in a long list makes very many.
pub(super) const MAX_MISMATCHES: usize = 4096;
