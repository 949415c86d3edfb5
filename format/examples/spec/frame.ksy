# Written by `cargo run -p stasis-format --example spec`; change format/examples/spec/ and the records instead.
meta:
  id: stasis
  title: Stasis checkpoint image
  file-extension: stasis
  license: MIT OR Apache-2.0
  endian: le
doc: |
  A checkpoint of a Linux process tree, revisions 1 and 2. docs/format.md is the specification; where the two differ,
  it is right. One image is read; images can follow each other in a file. Checksums are not compared.
seq:
  - id: head
    type: head_record
  - id: rev1
    type: rev1_record
    repeat: until
    repeat-until: _.kind == 5001
    if: head.body.rev == 1
  - id: rev2
    type: rev2_record
    repeat: until
    repeat-until: _.kind == 5001
    if: head.body.rev == 2
types:
  head_record:
    seq:
      - id: kind
        type: s2
        valid: 1
      - id: len
        type: s2
        valid: 224
      - id: parent
        type: u4
      - id: body
        type: head
        size: len
  rev1_record:
    seq:
      - id: kind
        type: s2
      - id: len
        type: s2
        valid:
          min: 0
      - id: parent
        type: u4
      - id: body
        size: len
        type:
          switch-on: kind
          cases:
            2: rev1_string
            101: rev1_task
            5001: tail
  rev2_record:
    seq:
      - id: kind
        type: s2
      - id: len
        type: s2
        valid:
          min: 0
      - id: parent
        type: u4
      - id: body
        size: len
        type:
          switch-on: kind
          cases:
            5001: tail
            # KINDS
            _: rev2_unknown
      - id: contents
        type: contents(body.as<rev2_extent>.stored_len)
        if: kind == 204
  contents:
    doc: Page contents behind an EXTENT, on a multiple of 4096 of the image.
    params:
      - id: stored_len
        type: u8
    seq:
      - id: before
        size: 'stored_len == 0 ? 0 : (4096 - _io.pos % 4096) % 4096'
      - id: stored
        size: stored_len
      - id: after
        size: (8 - stored_len % 8) % 8
  pair:
    seq:
      - id: first
        type: u8
      - id: second
        type: u8
  index_entry:
    seq:
      - id: offset
        type: u8
      - id: vaddr
        type: u8
      - id: kind
        type: s2
      - id: len
        type: s2
      - id: parent
        type: u4
      - id: id
        type: u4
      - id: nr_pages
        type: u4
  rev2_unknown:
    doc: A record of a kind that this description does not know; types from 0x4000 on may be skipped.
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: fixed
        size: _io.size - 16 - (tail_len + 7) / 8 * 8
      - id: tail
        size: tail_len
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  # TYPES
enums:
  # ENUMS
