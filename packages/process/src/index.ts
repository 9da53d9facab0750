export type {
	ChildState,
	Command,
	ExecOptions,
	ExitStatus,
	ResourceUsage,
	Signal,
	WaitOptions,
} from "@nearfar/core";
export {
	ChildBusyError,
	ChildDeadError,
	ChildProcess,
	ExitError,
	MultithreadedError,
	NamespaceMismatchError,
	Process,
	SyscallError,
	TaskGoneError,
} from "@nearfar/core";
export * from "./death-signal.ts";
export * from "./no-new-privs.ts";
export * from "./signals.ts";
