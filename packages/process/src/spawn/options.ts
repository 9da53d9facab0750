import type { Caps, SecureBit } from "@nearfar/caps";
import type { ChildProcess, CloneOptions, ExecOptions, FileDescriptor, PathLike, Signal, Task } from "@nearfar/core";
import type { Resource } from "@nearfar/core/internal";
import type { LandlockLevel, LandlockRules } from "@nearfar/landlock";
import type { SeccompRules } from "@nearfar/seccomp";
import type { Limit, Limits } from "../rlimit.ts";
import type { StdioOption } from "./check-stdio.ts";

/**
 * The options of {@link spawn}. Where an option is missing, the program starts as a child of Node's own `spawn` would.
 *
 * A value of the wrong kind is a `TypeError` and a number out of range a `RangeError`, both before anything happens.
 *
 * @example
 * ```ts
 * const options: SpawnOptions = { stdio: "inherit", cwd: "/", limits: { core: 0 }, timeout: 10_000 };
 * await using child = await spawn("true", [], options);
 * await child.check();
 * ```
 */
export interface SpawnOptions<S extends StdioOption = StdioOption>
	extends Omit<CloneOptions, "begin" | "share">,
		ExecOptions {
	/**
	 * The task that clones the program. The program is then a child of that task, and what is said of Node below is said of the task: its
	 * root, working directory, umask, namespaces and ids. Default: Node. Refused: `killTree`, `init`, `join` and a child as `group`
	 * beside it.
	 */
	parent?: Task;
	/**
	 * The program's descriptors from 0 up: one entry for each, or one for all of 0, 1 and 2. Default: `"pipe"`, from 3 up
	 * `"ignore"`. The program has no other descriptors, but for those of `fds`. Refused: a number that is not open
	 * (`EBADF`), a stream without a descriptor, and more than 62 descriptors with those of `fds`.
	 */
	stdio?: S;
	/**
	 * Open descriptors of this process that the program gets at the same numbers. Default: none. Refused: a number that
	 * `stdio` has too, and 63, which the task itself uses.
	 */
	fds?: readonly FileDescriptor[];
	/** The program's `argv[0]`, without NUL bytes. Default: `file` as it was given. */
	argv0?: string;
	/**
	 * The working directory, a path inside `root`. Default: the one of Node, or `/` with `root`. A mount that `setup` makes over
	 * this folder does not change it: call `chdir` in `setup` instead.
	 */
	cwd?: PathLike;
	/** The permission bits that new files do not get, 0 to 0o777. Default: the umask of Node. */
	umask?: number;
	/** The root directory. Default: the root of Node. Needs CAP_SYS_CHROOT. */
	root?: PathLike;
	/**
	 * The real, effective and saved user id, 0 to 4294967294. Default: the ids of Node. Without `groups` the
	 * supplementary groups are cleared, where the task has CAP_SETGID. With another id than 0 the program has no
	 * capabilities but those of `capabilities`, and `setup` has no others either. Without `capabilities` the bounding set stays.
	 */
	uid?: number;
	/**
	 * The real, effective and saved group id, 0 to 4294967294. Default: the ids of Node. Without `groups` the
	 * supplementary groups are cleared, where the task has CAP_SETGID.
	 */
	gid?: number;
	/**
	 * The supplementary groups, at most 65536 ids from 0 to 4294967294. Default: the groups of Node. Needs CAP_SETGID.
	 */
	groups?: readonly number[];
	/**
	 * The user: `uid`, `gid` and `groups` of this user, as the C library of Node knows them at the call. A string is a name, also
	 * one of digits. A number is a user id. Nothing is looked up in `root` or in the namespaces. Default: the ids of Node.
	 * Refused: `uid`, `gid` or `groups` beside it, and a user that nobody has (`ERR_NEARFAR_UNKNOWN_USER`).
	 */
	user?: string | number;
	/**
	 * The capabilities of the program, by name, number or bit: its permitted, effective, inheritable, ambient and bounding set
	 * are exactly these. With another user than 0 they survive the change of the ids. Default: what execve(2) makes of the
	 * capabilities of Node. Needs CAP_SETPCAP, unless the bounding set has no other capability. Refused: a capability that the
	 * kernel does not have.
	 *
	 * Before the program `setup` still has the capabilities of Node, or with another `uid` than 0 these alone. As another user than
	 * 0 a file with capabilities of its own gets those instead of the ambient ones, and no others than these.
	 */
	capabilities?: Caps;
	/**
	 * The securebits of the program. Names: exactly these, while locks stay as they are. A number from 0 to 2^32-1: the bits as
	 * they are in `linux/securebits.h`. execve(2) clears `keepCaps`. Default: the securebits of Node. A change needs CAP_SETPCAP,
	 * and `EPERM` is also that of a locked or an unknown bit.
	 *
	 * Without `capabilities` they are set before the ids, so that `noSetuidFixup` and `keepCaps` count there. With
	 * `capabilities` they are set together with those.
	 */
	securebits?: readonly SecureBit[] | number;
	/** `true`: a new session without a terminal, which Node calls `detached`. Default: `false`, the session of Node. */
	session?: boolean;
	/**
	 * `true`: a new process group. A child: the process group of that child, refused together with `session`. Default:
	 * `false`, the process group of Node.
	 */
	group?: boolean | ChildProcess;
	/**
	 * Open namespaces of this process to enter, in this order, before anything else. Default: none. A pid namespace takes
	 * effect for the children of the program only, and is refused together with `killTree` or `init`.
	 */
	join?: readonly FileDescriptor[];
	/** `true`: execve(2) grants no privilege any more, see {@link setNoNewPrivs}. Default: `false`, as Node has it. */
	noNewPrivs?: boolean;
	/**
	 * What the program and all that it starts may do with files, ports and scopes: rules and their level, as `landlock` of
	 * `@nearfar/landlock` takes them, and with a `kind` for each path. Default: no domain but that of Node. Sets `noNewPrivs` too. Needs no
	 * privilege, and a kernel that has the level (`ERR_NEARFAR_LANDLOCK_UNAVAILABLE`). `landlock` of the result says what holds.
	 *
	 * The paths are looked up inside `root` and `cwd`, after `setup` and `capabilities`; the descriptors among them are those of this process.
	 * The rules have to allow `execute` on the program, on its interpreter and on its loader: `{ at: "/usr", allow: ["run"], kind:
	 * "directory" }` does on most machines. Otherwise `spawn` fails with `EACCES`. The supervisor of `killTree` and `init` is outside.
	 */
	landlock?: LandlockRules & LandlockLevel;
	/**
	 * A filter of system calls for the program and all that it starts: rules, or the bytes of a filter, as `compileFilter` of
	 * `@nearfar/seccomp` takes them. Default: no filter but those of Node. Needs `noNewPrivs: true`, which this option does not set, or
	 * CAP_SYS_ADMIN after `capabilities` and the ids have been applied; otherwise `EACCES`.
	 *
	 * The task installs the filter as its last call before execve(2). So a filter has to allow that call (execveat(2), if the program is
	 * given by a descriptor) and what the program needs. `setup` runs before, and the supervisor of `killTree` and `init` has no filter. If the
	 * filter kills for execve(2), `spawn` resolves, and the child ends with SIGSYS. If it refuses sendmsg(2) and execve(2) fails,
	 * `spawn` resolves too, and the child ends with the code 103.
	 */
	seccomp?: SeccompRules | Uint8Array;
	/**
	 * Resource limits by name: one value for the soft and the hard limit, or both, as in {@link setrlimit}. Default: the
	 * limits of Node. To raise a hard limit needs CAP_SYS_RESOURCE. `setup` may need descriptors, and so `nofile` is set
	 * after it.
	 */
	limits?: Partial<Record<Resource, Limit | Limits>>;
	/**
	 * The nice value, -20 (highest priority) to 19 (lowest). Default: the value of Node. A lower one needs CAP_SYS_NICE.
	 */
	nice?: number;
	/** The numbers of the CPUs that the program may run on, 0 to 65535. Default: the CPUs of Node. */
	cpus?: readonly number[];
	/**
	 * `true`: process 1 of the new pid namespace is a supervisor, which reaps orphans and forwards signals to the
	 * program. Default: `false`, the program itself is process 1. Refused without `"pid"` among `namespaces`.
	 */
	init?: boolean;
	/**
	 * Called when the task was cloned and has made no call for the other options yet, for instance to make `parent` its supervisor.
	 * `spawn` waits for the promise that the function returns. Then all calls follow in one message, with the execution of the
	 * program unless there is a `setup`. Calls that the function has the task make itself are not taken into account by
	 * `capabilities`: make them in `setup`. Default: no function.
	 *
	 * @example
	 * ```ts
	 * await using init = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	 * const child = await spawn("sh", ["-c", "sleep 1000 & exit 3"], {
	 * 	parent: init,
	 * 	stdio: "ignore",
	 * 	cloned: (task) => init.supervise(task.process),
	 * });
	 * console.log((await child.exited).code); // 3, and no sleep is left
	 * ```
	 */
	cloned?: (task: Task) => void | Promise<void>;
	/**
	 * Makes calls of the task when every other option has been applied. **The task makes the calls before the first `await`
	 * alone. Node itself makes the later ones**: after an `await` no function can tell which code has called. A `mount` would
	 * then mount in the namespace of Node. Put later calls into `task.run` or `task.batch`.
	 *
	 * The task makes the calls one by one, and their values are known, as in {@link Task.run}. A descriptor that is opened there
	 * belongs to the task; `Task.near.run` opens one in this process. `spawn` waits for the promise that the function
	 * returns, and then has the task execute the program. Default: no function.
	 *
	 * @example
	 * ```ts
	 * const child = await spawn("sh", ["-c", "pwd; umask"], {
	 * 	async setup(task) {
	 * 		chdir("/usr"); // the task changes its working directory
	 * 		const mask = await Promise.resolve(0o77);
	 * 		task.run(() => umask(mask)); // without `task.run` Node would change its own umask
	 * 	},
	 * });
	 * child.stdout.pipe(process.stdout); // /usr 0077
	 * await child.closed;
	 * ```
	 */
	setup?: (task: Task) => void | Promise<void>;
	/**
	 * The parent-death signal: the program gets it when its parent ends, which is Node, or with `killTree` or `init` the
	 * supervisor. Default: no signal, or SIGKILL with `killTree` or `init`.
	 */
	deathSignal?: Signal | null;
	/**
	 * Gives up when it is aborted. If the program does not run yet, nothing of it is left and the promise rejects; if it
	 * runs, it gets `killSignal`. Default: none.
	 */
	signal?: AbortSignal;
	/**
	 * Milliseconds from the call, 0 to 2147483647, after which `spawn` gives up as for `signal`. Default, or 0: no
	 * timeout.
	 */
	timeout?: number;
	/**
	 * The signal that the program gets from `timeout` and `signal`. Default: `"SIGTERM"`. Refused: 0. A program that is
	 * process 1 of its pid namespace ignores it: see `init` and `grace`.
	 */
	killSignal?: Signal;
	/**
	 * Milliseconds from `killSignal`, 0 to 2147483647, after which the program is killed as if it were disposed of, if it has
	 * not ended. Default: never for `spawn`, 5000 for `run`.
	 */
	grace?: number;
	/**
	 * `true`: all processes that the program starts are killed when the program or Node ends. The parent of the program
	 * is a supervisor then. Default: `false`.
	 */
	killTree?: boolean;
}
