/** What an option does to the new root, in the order of the options. */
export type Operation =
	| {
			readonly kind: "bind";
			readonly source: string;
			readonly dest: string;
			readonly readOnly: boolean;
			readonly devices: boolean;
			/** Whether nothing happens where there is no source. */
			readonly optional: boolean;
			/** The open file that the source is. */
			readonly fd?: number;
	  }
	| {
			readonly kind: "overlay";
			readonly dest: string;
			/** The topmost first. */
			readonly lower: readonly string[];
			/** Where changes go: into directories of the host, into memory, or nowhere. */
			readonly upper: { readonly path: string; readonly work: string } | "memory" | undefined;
	  }
	| { readonly kind: "proc" | "dev" | "mqueue" | "remount-ro"; readonly dest: string }
	| { readonly kind: "tmpfs"; readonly dest: string; readonly mode: number; readonly size: bigint | undefined }
	| { readonly kind: "dir"; readonly dest: string; readonly mode: number }
	| { readonly kind: "file"; readonly dest: string; readonly fd: number; readonly mode: number }
	| {
			readonly kind: "data";
			readonly dest: string;
			readonly fd: number;
			readonly mode: number;
			readonly readOnly: boolean;
	  }
	| { readonly kind: "symlink"; readonly target: string; readonly dest: string }
	| { readonly kind: "chmod"; readonly mode: number; readonly dest: string }
	| { readonly kind: "hostname"; readonly name: string };

/** A change of the environment: all variables away, one set, or one away. */
export type Change = readonly [] | readonly [name: string, value: string] | readonly [name: string];

/** What the arguments ask for. */
export interface Invocation {
	readonly operations: Operation[];
	readonly unshare: Set<"user" | "pid" | "net" | "ipc" | "uts" | "cgroup">;
	/** Those that are made only where the kernel has them. */
	readonly tryUnshare: Set<"user" | "cgroup">;
	readonly environment: Change[];
	readonly locks: string[];
	readonly capabilities: { readonly add: boolean; readonly name: string }[];
	readonly filters: number[];
	/** Every descriptor that an option names. */
	readonly named: number[];
	command: readonly string[];
	uid?: number;
	gid?: number;
	hostname?: string;
	chdir?: string;
	argv0?: string;
	userns?: number;
	userns2?: number;
	pidns?: number;
	syncFd?: number;
	blockFd?: number;
	usernsBlockFd?: number;
	infoFd?: number;
	statusFd?: number;
	seccomp?: number;
	disableUserns: boolean;
	assertUsernsDisabled: boolean;
	newSession: boolean;
	dieWithParent: boolean;
	asPid1: boolean;
	/** Whether what is shown may lack an attribute that the kernel refuses, such as read-only. */
	tolerant: boolean;
	/** Whether a destination that is a link is refused. */
	refuseLinks: boolean;
}
