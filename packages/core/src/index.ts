/**
 * {@include ../README.md}
 *
 * @module @nearfar/core
 */

import "./dispose-symbols.ts";

export type {
	AtFlag,
	CloneFlag,
	FlockOperation,
	LockType,
	NamespaceKind,
	OpenFlag,
	RenameFlag,
	ResolveFlag,
	StatxAttribute,
	StatxField,
} from "./addon/flags.generated.ts";
export {
	AddressSpaceMismatchError,
	BatchError,
	ChildBusyError,
	ChildDeadError,
	ClosedError,
	ExitError,
	FDTableMismatchError,
	IdMapHelperError,
	LoadError,
	MultithreadedError,
	NamespaceMismatchError,
	NearfarError,
	TaskGoneError,
	ThreadsError,
	UnsupportedPlatformError,
} from "./errors.ts";
export { chmod, chown, umask } from "./files/attributes.ts";
export { fsync, ftruncate } from "./files/contents.ts";
export { FileDescriptor } from "./files/descriptor.ts";
export { EventFd, type EventFdOptions } from "./files/eventfd.ts";
export type { DeviceNumber, FileType } from "./files/file-type.ts";
export * from "./files/files.ts";
export { link, readlink, symlink } from "./files/links.ts";
export { Location, type LocationLike, type LocationOptions } from "./files/location.ts";
export { flock, type HeldLock, type LockRange, lock, testLock } from "./files/locks.ts";
export { mkdir, mknod, type NodeType } from "./files/make.ts";
export { rename, rmdir, unlink } from "./files/names.ts";
export type { PathLike } from "./files/path.ts";
export { type DirectoryEntry, readdir } from "./files/readdir.ts";
export { type Statx, type StatxOptions, statx } from "./files/statx.ts";
export { chdir, chroot } from "./files/working-directory.ts";
export { AddressSpace, FDTable, OpenFile, PidNamespace } from "./identity.ts";
export { IdAllocation } from "./idmap/allocation.ts";
export { IdMap } from "./idmap/id-map.ts";
export type { IdMapping } from "./idmap/mapping.ts";
export type { IdRange } from "./idmap/range.ts";
export { subordinateIds } from "./idmap/subordinate-ids.ts";
export type { Obstacle, ObstacleName } from "./obstacles/obstacle.ts";
export type { Answer, Feature, Probe } from "./probe/features.ts";
export { probe } from "./probe/probe.ts";
export { ChildProcess, ThreadProcess } from "./process/child.ts";
export type { ChildState, ExitStatus, ResourceUsage } from "./process/child-state.ts";
export { Process } from "./process/process.ts";
export type { ProcessLike } from "./process/process-like.ts";
export type { Signal } from "./process/signal.ts";
export type { WaitOptions } from "./process/waiters.ts";
export { SyscallError } from "./syscall-error.ts";
export type { ProcessOption } from "./target/every-thread.ts";
export type { CgroupLike } from "./task/cgroup-like.ts";
export type { CloneOptions, SharedPart } from "./task/clone-options.ts";
export type { Command, ExecOptions } from "./task/exec-options.ts";
export type { IdMaps } from "./task/idmap.ts";
export type { SyscallArgument, SyscallOptions, SyscallStruct } from "./task/raw.ts";
export { Task } from "./task/task.ts";
export type { ThreadKind, ThreadOptions } from "./task/thread.ts";
export { writeIdMap } from "./task/write-id-map.ts";
