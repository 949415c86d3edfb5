//! The rules of the format by their stable names, so that tools can talk about them.

macro_rules! rules {
    ($($name:ident = $id:literal $doc:literal)+) => {
        $(#[doc = $doc] pub const $name: &str = $id;)+

        /// Every rule: its name and what it demands.
        pub const RULES: &[(&str, &str)] = &[$(($id, $doc)),+];
    };
}

rules! {
    EARLY_END = "early-end" "An image goes on until TAIL."
    HEAD_KIND = "head-kind" "The first record is HEAD, type 1."
    HEAD_LEN = "head-len" "The payload of HEAD is 224 bytes long."
    HEAD_PARENT = "head-parent" "HEAD has no parent."
    HEAD_MAGIC = "head-magic" "The magic of HEAD is 0x00feed0cc0a2d200."
    HEAD_REV = "head-rev" "The revision is 1 or 2."
    HEAD_FLAGS = "head-flags" "No flag of HEAD but bit 0 is set."
    HEAD_CHECKSUM = "head-checksum" "IMAGE holds the checksum of HEAD's 232 bytes."
    RECORD_LEN = "record-len" "The payload of a record is a positive multiple of 8 long and has room for its tail."
    RECORD_BODY = "record-body" "The fixed part and the tail of a record have the lengths of its kind; what a fixed part has beyond is zero."
    RECORD_CHECKSUM = "record-checksum" "A record ends in the checksum of all its bytes before."
    RECORD_PADDING = "record-padding" "The bytes that fill a tail up to a multiple of 8 are zero."
    RECORD_KIND = "record-kind" "Types below 0x4000 are known to the reader."
    ORDER = "order" "HEAD, IMAGE, records of state and EXTENTs, INDEX, INDEX_END, TAIL, in this order."
    EXTENT_RUNS = "extent-runs" "Runs are page-aligned, ascending, do not overlap, and add up to nr_pages."
    EXTENT_LEN = "extent-len" "The stored length fits the encoding and the cap."
    EXTENT_ENCODING = "extent-encoding" "The encoding is one that is known."
    EXTENT_BASE = "extent-base" "Pages that are as in the base stand in an image that names one, and are read with it."
    EXTENT_PADDING = "extent-padding" "The bytes around an extent's contents are zero."
    EXTENT_CHECKSUM = "extent-checksum" "An extent's contents have the checksum that its record names."
    INDEX_ENTRIES = "index-entries" "The index lists every record from IMAGE on as it stands in the image, in order."
    INDEX_END_COUNTS = "index-end-counts" "INDEX_END counts records, extents, objects and bytes as they are."
    INDEX_END_CHAIN = "index-end-chain" "INDEX_END holds the checksum over the checksums of all records before it."
    TAIL = "tail" "The last record is TAIL: type 5001, 8 bytes, no parent, magic 0x002d2a0cc0deef00."
    NOT_AN_IMAGE = "not-an-image" "The file is an image of Stasis."
    TRAILING_BYTES = "trailing-bytes" "Nothing follows TAIL in a file of its own."
    NOT_JUDGED = "not-judged" "Everything in the image can be judged."
    HEAD_KERNEL = "head-kernel" "Revision 1: the image was made on the kernel that is to restart it."
    HEAD_RELEASE = "head-release" "The version numbers of HEAD are those of its release."
    REV1_KIND = "rev1-kind" "Revision 1: HEAD, TASK, STRING, TAIL follow each other in this order."
    REV1_LEN = "rev1-len" "Revision 1: a payload is as long as its structure, a STRING no longer than announced."
    REV1_PARENT = "rev1-parent" "Revision 1: no record has a parent."
    REV1_COMM_LEN = "rev1-comm-len" "Revision 1: task_comm_len is 0 to 4096, and 16 in an image of ours."
    FIELD_ZERO = "field-zero" "Fields that fill gaps are zero."
    FIELD_VALUE = "field-value" "Fields have values that mean something."
    ID_UNIQUE = "id-unique" "No two records define the same object."
    PARENT = "parent" "The parent of a record is of a kind that can own it and defined by an earlier record; that of an EXTENT by any."
    REFERENCE = "reference" "References lead to objects of the right kind in the same image."
    ONE_ROOT = "one-root" "Exactly one TASK has no parent, and IMAGE names it."
    TASK_PARTS = "task-parts" "A TASK that is no zombie has memory, descriptors, directories, signal actions and a THREAD."
    THREAD_CPU = "thread-cpu" "A THREAD has the registers of a processor."
    COUNT = "count" "Tables have as many members as they say."
    FD_UNIQUE = "fd-unique" "No number stands twice in a descriptor table."
    PAGE_SIZE = "page-size" "Pages have 4096 bytes."
    VMA_RANGE = "vma-range" "An area starts and ends on a page boundary and is not empty."
    VMA_ORDER = "vma-order" "The areas of an address space ascend and do not overlap."
    EXTENT_OWNER_RANGE = "extent-owner-range" "An EXTENT lies inside the areas, or the length, of its owner; if records of state follow it, it may lie elsewhere."
}
