/**
 * {@include ../README.md}
 *
 * @module @nearfar/core
 */

export type {
	AtFlag,
	CloneFlag,
	NamespaceKind,
	OpenFlag,
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
	MultithreadedError,
	NamespaceMismatchError,
	NearfarError,
	TaskGoneError,
	UnsupportedPlatformError,
} from "./errors.ts";
export { FileDescriptor } from "./files/descriptor.ts";
export { EventFd, type EventFdOptions } from "./files/eventfd.ts";
export * from "./files/files.ts";
export { Location, type LocationLike, type LocationOptions } from "./files/location.ts";
export type { PathLike } from "./files/path.ts";
export { type DeviceNumber, type FileType, type Statx, type StatxOptions, statx } from "./files/statx.ts";
export { chdir, chroot, mkdir, symlink, umask } from "./files/tree.ts";
export { AddressSpace, FDTable, OpenFile, PidNamespace } from "./identity.ts";
export { ChildProcess, ThreadProcess } from "./process/child.ts";
export type { ChildState, ExitStatus, ResourceUsage } from "./process/child-state.ts";
export { Process } from "./process/process.ts";
export type { Signal } from "./process/signal.ts";
export type { WaitOptions } from "./process/waiters.ts";
export { SyscallError } from "./syscall-error.ts";
export type { CloneOptions, SharedPart } from "./task/clone-options.ts";
export type { Command, ExecOptions } from "./task/exec-options.ts";
export type { IdMapping, IdMaps } from "./task/idmap.ts";
export type { SyscallArgument, SyscallOptions, SyscallStruct } from "./task/raw.ts";
export { Task } from "./task/task.ts";
