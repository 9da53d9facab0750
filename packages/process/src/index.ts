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
export type { PriorityWhich, Resource, SigprocmaskHow } from "@nearfar/core/internal";
export * from "./affinity.ts";
export * from "./death-signal.ts";
export * from "./limits.ts";
export * from "./no-new-privs.ts";
export * from "./priority.ts";
export * from "./sigaction.ts";
export * from "./signals.ts";
export * from "./sigprocmask.ts";
