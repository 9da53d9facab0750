import { dropCapabilities, securebits } from "@nearfar/caps";
import { type FileDescriptor, openat2, SyscallError, type Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import type { LandlockFsRight, LandlockRuleset } from "@nearfar/landlock";
import { type SpawnOptions, setNoNewPrivs } from "@nearfar/process";
import { SandboxError } from "../errors.ts";
import { abis, type Landlock } from "../host/landlock.ts";
import type { Allowed } from "../paths/allowed.ts";
import { sameFile } from "../paths/given.ts";
import type { Blueprint } from "../plan.ts";
import { LOCKED_BITS } from "../securebits.ts";
import { landlockFilter } from "./filter.ts";
import { TemporaryFolder } from "./tmp.ts";

const read: readonly LandlockFsRight[] = ["execute", "readFile", "readDir"];
const change: readonly LandlockFsRight[] = [
	...(["writeFile", "truncate", "removeDir", "removeFile"] as const),
	...(["makeDir", "makeReg", "makeSock", "makeFifo", "makeSym", "refer"] as const),
];
/** What a rule for each kind of place allows. */
const rights = {
	read,
	write: [...read, ...change, "resolveUnix"],
	socket: ["resolveUnix"],
	device: ["readFile", "writeFile", "truncate", "ioctlDev"],
} as const satisfies Record<Allowed["kind"], readonly LandlockFsRight[]>;
const forDirectoriesAlone: ReadonlySet<LandlockFsRight> = new Set([
	"readDir",
	...change.filter((right) => right !== "writeFile" && right !== "truncate"),
]);

/** What keeps the programs of a sandbox from the host where they have no namespaces: a ruleset of Landlock, and a filter. */
export class Confinement {
	/** The filter of the commands. */
	readonly filter: Uint8Array;
	/** The rights that the ruleset handles: those that the kernel knows. What it lacks of the ABIs above 3, the guarantees say, or the filter refuses. */
	readonly #handled: ReadonlySet<LandlockFsRight>;
	readonly #mayChangeBounding: boolean;
	readonly #tmp: TemporaryFolder;
	readonly #landlock: Landlock;
	readonly #ruleset: LandlockRuleset;

	/**
	 * Opens and compares every path that is allowed, makes the folder for temporary files, and makes the ruleset. Called in this process.
	 *
	 * @param landlock - The package, which is loaded already.
	 * @param mayChangeBounding - Whether the tasks have CAP_SETPCAP.
	 */
	constructor({ confined, options }: Blueprint, landlock: Landlock, mayChangeBounding: boolean) {
		if (!confined) throw new Error("the plan is one with namespaces");
		const abi = landlock.landlockAbi();
		this.#landlock = landlock;
		this.#handled = new Set(landlock.planLandlock({ paths: [] }, { require: abis.resolveUnix, drop: "any" }).fs);
		this.#mayChangeBounding = mayChangeBounding;
		const network = typeof options.network === "string" ? options.network : "proxy";
		this.filter = landlockFilter({ network, checksUnixSockets: abi >= abis.resolveUnix });
		const isHost = network === "host";
		this.#ruleset = landlock.landlockCreateRuleset({
			fs: [...this.#handled],
			...(abi >= abis.network && !isHost && { net: ["bindTcp", "connectTcp"] }),
			...(abi >= abis.scope && { scoped: isHost ? ["signal"] : ["signal", "abstractUnixSocket"] }),
		});
		let tmp: TemporaryFolder | undefined;
		try {
			for (const allowed of confined.allowed) this.#allow(allowed);
			tmp = TemporaryFolder.make(confined.tmp);
			this.#add(tmp.descriptor, "write", "directory");
			this.#tmp = tmp;
		} catch (error) {
			tmp?.discard();
			this.#ruleset.close();
			throw error;
		}
	}

	#allow(allowed: Allowed): void {
		const { path, kind, type, found } = allowed;
		let file: FileDescriptor;
		try {
			file = openat2(path, { flags: ["path"], resolve: ["noSymlinks"] });
		} catch (error) {
			if (!(error instanceof SyscallError)) throw error;
			if (!found) return; // it was there when its folder was listed, and a program would not reach it either
			throw exchanged(path, kind, error);
		}
		using opened = file;
		if (found && !sameFile(opened, found)) throw exchanged(path, kind);
		this.#add(opened, kind, type);
	}

	#add(at: FileDescriptor, kind: Allowed["kind"], type: Allowed["type"]): void {
		const names: readonly LandlockFsRight[] = rights[kind];
		const fitting = type === "directory" ? names : names.filter((name) => !forDirectoriesAlone.has(name));
		const allow = fitting.filter((name) => this.#handled.has(name));
		if (allow.length > 0) this.#landlock.landlockAddRule(this.#ruleset, { at, allow });
	}

	/** Lets the programs connect to a port, which is that of the proxy. */
	allowPort(port: number): void {
		this.#landlock.landlockAddRule(this.#ruleset, { port, allow: ["connectTcp"] });
	}

	/** Collects calls of a batch of a task, which restrict it for good: privileges first, because Landlock keeps what it has. */
	enter(task: Task): void {
		if (this.#mayChangeBounding) {
			securebits.set(LOCKED_BITS);
			dropCapabilities();
		} else {
			native().capset(0, [0n, 0n, 0n]); // with no_new_privs none of the bounding set comes back
		}
		setNoNewPrivs();
		const far = task.put(this.#ruleset);
		this.#landlock.landlockRestrictSelf(far);
		far.close();
	}

	/** Returns the options of every command. */
	get command(): SpawnOptions {
		// Before ABI 6 a program can kill the task above it, and does not outlive it.
		return { seccomp: this.filter, deathSignal: "SIGKILL" };
	}

	/** Removes the folder for temporary files. Every program has ended. */
	async end(): Promise<void> {
		this.#ruleset.close();
		await this.#tmp.remove();
	}
}

function exchanged(path: string, kind: string, cause?: unknown): SandboxError {
	const message = `cannot show ${path}: another file has taken its place meanwhile`;
	return new SandboxError("PATH", message, { step: `${kind} ${path}`, ...(cause !== undefined && { cause }) });
}
