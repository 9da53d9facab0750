import type { Cgroup } from "@nearfar/cgroup";
import type { PathLike, Signal } from "@nearfar/core";
import type { Stdio } from "@nearfar/process";
import type { SeccompRules } from "@nearfar/seccomp";
import type { NetworkOptions } from "./network/options.ts";

/**
 * A text with `*` (any characters of one name), `?` (one character), `[…]` (one of these characters) or `**` (any folders) in it.
 */
export type Glob = string;

/** A file that exists in a sandbox alone: its content, or its content and its permission bits. */
export type MadeFile = string | Uint8Array | { content: string | Uint8Array; mode?: number };

/**
 * What a sandbox shows and allows. A path that is not named is not there, or cannot be written.
 *
 * Paths are opened once, when the sandbox is opened, and appear at their canonical places. Relative paths count from the working
 * directory of Node, and `~` is the home directory. A path that ends in `?` may be missing.
 *
 * @example
 * ```ts
 * const options: SandboxOptions = { write: ["."], hide: ["**\/*.pem"], limits: { processes: 100 } };
 * (await run("true", [], options)).check();
 * ```
 */
export interface SandboxOptions {
	/**
	 * The defaults of all other options. `"project"` shows the host read-only, hides the home directory but for the toolchains in `PATH`,
	 * and makes the working directory writable but for files that run outside later, such as `.git/hooks`. `"closed"` shows `/usr` and
	 * nothing writable of the host. Default: `"project"`.
	 */
	preset?: "project" | "closed";
	/** What is visible, and not writable through this. `"host"`: everything. Default: that of the preset. */
	read?: "host" | readonly PathLike[];
	/** What is visible and writable, through to the host. Default: that of the preset. */
	write?: readonly PathLike[];
	/** What is visible, and takes writes that are kept in memory and lost. Default: that of the preset. */
	scratch?: readonly PathLike[];
	/** In the place of each of these is an empty file or directory that cannot be written. Added to those of the preset. */
	hide?: readonly (PathLike | Glob)[];
	/**
	 * What cannot be written inside of `write`. A relative path counts from each writable path. A path that is missing is watched:
	 * see `protectMissing`. Added to those of the preset.
	 */
	protect?: readonly (PathLike | Glob)[];
	/** What becomes of a file that appears where a protected path was missing. Default: `"report"`, as a {@link Violation}. */
	protectMissing?: "report" | "remove";
	/**
	 * Files that are made up, by path. They are read-only, and never on a disk of the host. A path lies where the host has a file, or in a
	 * directory of the sandbox's own, such as the home directory. Default: none.
	 */
	files?: Readonly<Record<string, MadeFile>>;
	/**
	 * `{ size }`: the most bytes that each of `/tmp`, `/var/tmp`, `/run`, the home directory and the memory of `scratch` may take. `"host"`:
	 * `/tmp` and `/var/tmp` are those of the host, writable. Default: directories of the sandbox's own, without a limit but the kernel's,
	 * half of the memory each.
	 */
	tmp?: { size?: number } | "host";
	/** The working directory. Default: that of Node where it is visible, else the first of `write`, else `/`. */
	cwd?: PathLike;
	/**
	 * The environment. A record: these variables beside `PATH`, `HOME`, `TERM`, `LANG`, `LC_*`, `TZ` and `TMPDIR`; `undefined` removes
	 * one. `{ inherit, set }`: all variables of Node, or those of these names, and then `set`. Default: those seven alone.
	 */
	env?:
		| Readonly<Record<string, string | undefined>>
		| { inherit: true | readonly string[]; set?: Readonly<Record<string, string>> };
	/**
	 * `"none"`: a network with nothing but loopback. `"host"`: the network of Node. An object: loopback, and a proxy that leads to the hosts
	 * of its `allow`, see {@link NetworkOptions}. The variables that name the proxy are set unless `env` sets them. Default: `"none"`.
	 */
	network?: "none" | "host" | NetworkOptions;
	/** Unix sockets of the host that stay reachable. Default: none. */
	sockets?: readonly PathLike[];
	/** Devices below `/dev` beside `null`, `zero`, `full`, `random`, `urandom` and `tty`. Default: none. */
	devices?: readonly PathLike[];
	/** The ids that the programs see as their own. Default: `"caller"`, those of Node, or 1000 where Node is root. */
	user?: "caller" | { uid: number; gid: number };
	/** Limits, which are an error where they cannot be enforced. Default: none. */
	limits?: Limits;
	/**
	 * The group of cgroup v2 below which the sandbox makes its own. The caller may make limited groups in it, and keeps it. With it,
	 * `limits.processes` is a limit of the group, too. Default: where `limits.memory`, `swap` or `cpus` need one, that of `Cgroup.obtain`.
	 */
	cgroup?: Cgroup;
	/**
	 * Which system calls are refused: `"default"`, `"all"` (none is), or rules or bytes of a filter as `compileFilter` of
	 * `@nearfar/seccomp` takes them. Default: `"default"`.
	 */
	syscalls?: "default" | "all" | SeccompRules | Uint8Array;
	/**
	 * What to do as root where ids cannot be mapped, because a file system of `write` or `scratch` allows no other owners, or because no id
	 * is left for the programs. `"uid0"`: they are user 0 without capabilities and in no user namespace of their own, so that they read what
	 * root may read, and the filter alone keeps them from making namespaces. It is used only there, and `guarantees` says so. Refused
	 * together with `limits.processes` without a group, `syscalls: "all"`, and a `user` other than 0. Default: an error.
	 */
	rootFallback?: "uid0";
	/**
	 * What keeps the programs apart from the host. `"full"`: namespaces and mounts, with all guarantees. `"landlock"`: Landlock and a filter of
	 * system calls, for hosts that forbid user namespaces. It has fewer guarantees, which `guarantees` names, and is never chosen by
	 * itself. `user`, `name`, a size of `tmp`, other `syscalls`, and `publish` and `localhost` of `network` are refused with it, and root
	 * needs `rootFallback`. `HOME` is a new folder that is removed at the end, unless the home directory is in a list. Linux 6.2, and 6.7
	 * with an object as `network`. Default: `"full"`.
	 */
	isolation?: "full" | "landlock";
	/**
	 * What a sandbox of `isolation: "landlock"` is to do without, because Landlock cannot express it: `"hide"` and `"protect"` inside of
	 * what is shown, `"files"`, and `"scratch"`. What the options or the preset ask for and is not named here is an error. Default: none.
	 */
	without?: readonly Without[];
	/** The host name inside. Default: `"sandbox"`. */
	name?: string;
	/** Ends the sandbox and everything in it when it is aborted. Default: none. */
	signal?: AbortSignal;
}

/** An option that a sandbox of `isolation: "landlock"` can do without. */
export type Without = "protect" | "hide" | "files" | "scratch";

/** Limits of a sandbox and of a command. */
export interface Limits {
	/** Milliseconds that a command may take, 1 to 2147483647. Then it gets `killSignal`, and everything is killed after `grace`. */
	time?: number;
	/** Milliseconds from `killSignal` to the kill, 0 to 2147483647. Default: 5000. */
	grace?: number;
	/**
	 * Processes and threads in the sandbox at the same time, 1 to 2147483647. It is a limit of the group where the sandbox has one: with
	 * `memory`, `swap`, `cpus` or the option `cgroup`. Elsewhere it needs Linux 5.14.
	 */
	processes?: number;
	/**
	 * Bytes of memory that everything in the sandbox has together, 4194304 to 2^53-1: programs, what they have read and written of files, and
	 * the files in memory. Where nothing can be given back, the kernel kills one command with all that it has started. Needs a group of
	 * cgroup v2: see `cgroup` of {@link SandboxOptions}.
	 */
	memory?: number;
	/** Bytes of swap space beside `memory`, 0 to 2^53-1. Needs a group. Default: 0 with `memory`, else no limit. */
	swap?: number;
	/** Processors that everything in the sandbox uses together, 0.01 to 8192, such as 1.5. Needs a group. */
	cpus?: number;
	/** Milliseconds of processor time of each process, 1 to 2^53-1, rounded up to seconds. */
	cpuTime?: number;
	/** Bytes of standard output, and of standard error, 0 to 2^53-1. A command that writes more is ended. Default for `run`: 64 MiB. */
	output?: number;
	/** Bytes of each file that a process writes, 0 to 2^53-1. */
	fileSize?: number;
	/** Open descriptors of each process, 0 to 2147483647. */
	openFiles?: number;
	/** Bytes of address space of each process, 0 to 2^53-1. */
	addressSpace?: number;
}

/** The options of one command whose streams are at hand. */
export interface StartOptions {
	/**
	 * As of `spawn` in `@nearfar/process`: one entry for each descriptor from 0. Default: pipes; of `run` no input. Refused: with `run`
	 * `"pipe"` from 3 up.
	 */
	stdio?: readonly Stdio[];
	/** What the command reads as its standard input. With `tty` it is typed, and then Ctrl-D. Default: nothing. */
	input?: string | Uint8Array;
	/**
	 * `true` or the size in characters, 1 to 65535 each: a terminal of the sandbox's own is the standard input, output and error, and the
	 * controlling terminal. `stdio` may then have entries from 3 up alone. `true`: 80 columns and 24 rows. Default: `false`.
	 */
	tty?: boolean | { columns: number; rows: number };
	/** The working directory. Default: that of the sandbox. */
	cwd?: PathLike;
	/** Variables beside those of the sandbox; `undefined` removes one. Default: none. */
	env?: Readonly<Record<string, string | undefined>>;
	/** Ends the command when it is aborted, as `limits.time` does. Default: none. */
	signal?: AbortSignal;
	/** The signal that asks the command to end. Default: `"SIGTERM"`. */
	killSignal?: Signal;
	/** Milliseconds from `killSignal` to the kill, 0 to 2147483647. Default: that of the sandbox's limits, else 5000. */
	grace?: number;
	/**
	 * Limits of this command. `memory`, `swap`, `cpus` and `processes` count for the command and what it starts, beside those of the sandbox,
	 * and need a sandbox that has a group: one with `cgroup`, or with `memory`, `swap` or `cpus` among its limits. Default: those of the sandbox.
	 */
	limits?: Pick<Limits, "time" | "output" | "memory" | "swap" | "cpus" | "processes">;
}

/** The options of one command whose output is collected. */
export interface RunOptions extends StartOptions {
	/** `"buffer"`: the output is buffers. Default: `"utf8"`. */
	encoding?: BufferEncoding | "buffer";
}

/** The options of a command whose sandbox is its own: `cwd`, `env`, `signal` and `limits` are those of the sandbox. */
export type OfOneCommand<T extends StartOptions> = Omit<T, "cwd" | "env" | "signal" | "limits">;
