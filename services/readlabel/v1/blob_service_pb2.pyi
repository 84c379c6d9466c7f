from readlabel.v1 import training_run_pb2 as _training_run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Chunk(_message.Message):
    __slots__ = ("data", "crc32c")
    DATA_FIELD_NUMBER: _ClassVar[int]
    CRC32C_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    crc32c: int
    def __init__(self, data: _Optional[bytes] = ..., crc32c: _Optional[int] = ...) -> None: ...

class FindMissingBlobsRequest(_message.Message):
    __slots__ = ("blobs",)
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    blobs: _containers.RepeatedCompositeFieldContainer[_training_run_pb2.BlobRef]
    def __init__(self, blobs: _Optional[_Iterable[_Union[_training_run_pb2.BlobRef, _Mapping]]] = ...) -> None: ...

class FindMissingBlobsResponse(_message.Message):
    __slots__ = ("missing",)
    MISSING_FIELD_NUMBER: _ClassVar[int]
    missing: _containers.RepeatedCompositeFieldContainer[_training_run_pb2.BlobRef]
    def __init__(self, missing: _Optional[_Iterable[_Union[_training_run_pb2.BlobRef, _Mapping]]] = ...) -> None: ...

class WriteBlobRequest(_message.Message):
    __slots__ = ("blob", "write_offset", "chunk", "finish_write")
    BLOB_FIELD_NUMBER: _ClassVar[int]
    WRITE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FINISH_WRITE_FIELD_NUMBER: _ClassVar[int]
    blob: _training_run_pb2.BlobRef
    write_offset: int
    chunk: Chunk
    finish_write: bool
    def __init__(self, blob: _Optional[_Union[_training_run_pb2.BlobRef, _Mapping]] = ..., write_offset: _Optional[int] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., finish_write: bool = ...) -> None: ...

class WriteBlobResponse(_message.Message):
    __slots__ = ("committed_size", "complete")
    COMMITTED_SIZE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    committed_size: int
    complete: bool
    def __init__(self, committed_size: _Optional[int] = ..., complete: bool = ...) -> None: ...

class GetWriteStatusRequest(_message.Message):
    __slots__ = ("blob",)
    BLOB_FIELD_NUMBER: _ClassVar[int]
    blob: _training_run_pb2.BlobRef
    def __init__(self, blob: _Optional[_Union[_training_run_pb2.BlobRef, _Mapping]] = ...) -> None: ...

class GetWriteStatusResponse(_message.Message):
    __slots__ = ("committed_size", "complete")
    COMMITTED_SIZE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    committed_size: int
    complete: bool
    def __init__(self, committed_size: _Optional[int] = ..., complete: bool = ...) -> None: ...

class ReadBlobRequest(_message.Message):
    __slots__ = ("blob", "read_offset")
    BLOB_FIELD_NUMBER: _ClassVar[int]
    READ_OFFSET_FIELD_NUMBER: _ClassVar[int]
    blob: _training_run_pb2.BlobRef
    read_offset: int
    def __init__(self, blob: _Optional[_Union[_training_run_pb2.BlobRef, _Mapping]] = ..., read_offset: _Optional[int] = ...) -> None: ...

class ReadBlobResponse(_message.Message):
    __slots__ = ("chunk", "offset")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    chunk: Chunk
    offset: int
    def __init__(self, chunk: _Optional[_Union[Chunk, _Mapping]] = ..., offset: _Optional[int] = ...) -> None: ...
