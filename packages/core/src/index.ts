export { ChildProcess, ThreadProcess } from "./child.ts";
export type { ChildState, ExitStatus, ResourceUsage } from "./child-state.ts";
export type { CloneOptions, SharedPart } from "./clone.ts";
export { FileDescriptor } from "./descriptor.ts";
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
	SyscallError,
	TaskGoneError,
	UnsupportedPlatformError,
} from "./errors.ts";
export { EventFd, type EventFdOptions } from "./eventfd.ts";
export type { Command, ExecOptions } from "./exec.ts";
export * from "./files.ts";
export type {
	AtFlag,
	CloneFlag,
	NamespaceKind,
	OpenFlag,
	ResolveFlag,
	StatxAttribute,
	StatxField,
} from "./flags.generated.ts";
export { AddressSpace, FDTable, OpenFile, PidNamespace } from "./identity.ts";
export type { IdMapping, IdMaps } from "./idmap.ts";
export { Location, type LocationOptions } from "./location.ts";
export type { LocationLike, PathLike } from "./path.ts";
export { Process } from "./process.ts";
export type { Signal } from "./signal.ts";
export { type DeviceNumber, type FileType, type Statx, type StatxOptions, statx } from "./statx.ts";
export { Task } from "./task.ts";
export { chdir, chroot, mkdir, symlink, umask } from "./tree.ts";
export type { WaitOptions } from "./waiters.ts";
