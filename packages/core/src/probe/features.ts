import type { NamespaceKind } from "../addon/flags.generated.ts";
import type { Obstacle, ObstacleName } from "../obstacles/obstacle.ts";

/** The features that `probe` tries, in the order of its report. */
export const features = [
	"task",
	"userCapabilities",
	"mount",
	"proc",
	"sysfs",
	"overlay",
	"loopback",
	"idMapRanges",
	"newuidmap",
	"newgidmap",
	"subordinateIds",
	"thread",
	"memfdExec",
	"clone3",
	"openat2",
	"closeRange",
	"pidfdOpen",
	"pidfdGetFd",
	"statmount",
	"listmount",
	"listns",
	"openTreeAttr",
	"mountSetattr",
	"pidfdThread",
	"pidfdInfo",
	"pidfdNamespaces",
	"pidfdSelf",
	"mountApi",
	"namespaceId",
	"namespaceHandle",
	"cgroup",
	"landlock",
	"seccomp",
	"pidfdExit",
] as const;

/** A feature that {@link probe} tries. */
export type Feature = (typeof features)[number];

/** The outcome of an attempt. */
export interface Answer {
	/** True when it works. `undefined`: something else that failed made it impossible to try. */
	works: boolean | undefined;
	/** The error of the call. `"SIGSYS"`: a seccomp filter has killed the task. `"ETIMEDOUT"`: the task was stopped or hung. */
	code?: string;
	/** The call that was refused. */
	syscall?: string;
	/** The value that was found: a path, a number, a list of names. */
	value?: number | string;
	/** The names of the obstacles. */
	because?: ObstacleName[];
}

/** The findings of {@link probe} about this process and its machine. */
export interface Probe {
	/** The release of the kernel, which decides no answer. */
	readonly kernel: string;
	/** The architecture, as `process.arch` names it. */
	readonly arch: string;
	/** The effective user id of this process. */
	readonly uid: number;
	/** The effective group id of this process. */
	readonly gid: number;
	/** The effective capabilities of this process, as bits. */
	readonly capabilities: bigint;
	/**
	 * Whether each kind of namespace can be made by this process as it is, and along with a new user namespace. For `"user"`,
	 * `withUser` is whether the new one gets a map of the own ids.
	 */
	readonly namespaces: Record<NamespaceKind, { direct: Answer; withUser: Answer }>;
	/** What works. */
	readonly features: Record<Feature, Answer>;
	/** Facts about the machine and this process. No answer depends on these. */
	readonly host: {
		/** The mode of seccomp of this process. */
		seccomp: "off" | "strict" | "filter";
		/** How many filters apply (Linux 5.9). */
		seccompFilters: number | undefined;
		/** True when no_new_privs is set. */
		noNewPrivs: boolean;
		/** The security modules. `undefined`: securityfs is not mounted, or may not be read. */
		lsm: string[] | undefined;
		/** The label of this process for the security module. */
		label: string | undefined;
		/** True when the root directory is not the root of the mount namespace. `undefined`: unknown. */
		chroot: boolean | undefined;
		/** Signs of a container, which a virtual machine can have too. No answer depends on these. */
		container: string[];
		/** The version of cgroups that has the controllers, the cgroup of this process, and its controllers. */
		cgroup: { version: 1 | 2 | undefined; path: string | undefined; controllers: string[] };
		/** The sysctls that were read, by name. */
		sysctls: Record<string, string>;
		/** The limits `user.max_*_namespaces` of the user namespace of this process. */
		limits: Record<NamespaceKind, number | undefined>;
	};
	/** The obstacles, most important first. Empty: everything works. */
	readonly obstacles: readonly Obstacle[];
	/** Returns the report: a line for each answer, then each obstacle with its fixes. */
	toString(): string;
}

/** The answers about all kinds of namespaces. */
export type AllNamespaces = Probe["namespaces"];

/** The facts about the machine. */
export type Host = Probe["host"];

/** The calls and the files of features that a kernel may not have, with the first Linux that has each of them. */
export const since: Partial<Record<Feature, readonly [call: string, since: string]>> = {
	overlay: ["overlay in a user namespace", "5.11"],
	clone3: ["clone3(2)", "5.3"],
	openat2: ["openat2(2)", "5.6"],
	closeRange: ["close_range(2)", "5.9"],
	pidfdOpen: ["pidfd_open(2)", "5.3"],
	pidfdGetFd: ["pidfd_getfd(2)", "5.6"],
	statmount: ["statmount(2)", "6.8"],
	listmount: ["listmount(2)", "6.8"],
	listns: ["listns(2)", "6.19"],
	openTreeAttr: ["open_tree_attr(2)", "6.15"],
	mountSetattr: ["mount_setattr(2)", "5.12"],
	pidfdThread: ["PIDFD_THREAD", "6.9"],
	pidfdInfo: ["PIDFD_GET_INFO", "6.13"],
	pidfdNamespaces: ["PIDFD_GET_*_NAMESPACE", "6.11"],
	pidfdSelf: ["PIDFD_SELF", "6.14"],
	mountApi: ["fsopen(2)", "5.2"],
	namespaceId: ["NS_GET_ID", "6.18"],
	namespaceHandle: ["handles of namespaces", "6.18"],
	landlock: ["Landlock", "5.13"],
	seccomp: ["SECCOMP_RET_KILL_PROCESS", "4.14"],
	pidfdExit: ["PIDFD_INFO_EXIT", "6.15"],
};
