import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Plan, plan, run, Sandbox, type SandboxOptions } from "@nearfar/sandbox";

const HIDDEN = 100;

/** What bwrap has already in `--dev` and `--proc`. */
const ofBwrap = ["/", "/dev/shm", "/proc/sys", "/proc/bus", "/proc/irq", "/proc/sysrq-trigger"];

/** The sandbox that is measured: what a program needs to start, and nothing else of the host. */
export const closed: SandboxOptions = { preset: "closed" };

/** Runs `true` in a sandbox of its own. */
export async function runTrue(more?: SandboxOptions): Promise<void> {
	const result = await run("true", [], { ...closed, ...more, stdio: ["ignore", "ignore", "ignore"] });
	result.check();
}

/** A sandbox that is open, with commands in it. */
export class Opened {
	#sandbox: Promise<Sandbox> | undefined;

	async runTrue(): Promise<void> {
		this.#sandbox ??= Sandbox.open(closed);
		const result = await (await this.#sandbox).run("true", [], { stdio: ["ignore", "ignore", "ignore"] });
		result.check();
	}

	async close(): Promise<void> {
		await (await this.#sandbox)?.[Symbol.asyncDispose]();
	}
}

/** A writable folder with files, of which a sandbox can hide all. */
export class HiddenFiles {
	readonly #folder = mkdtempSync(join(tmpdir(), "nearfar-bench-"));
	readonly #files = Array.from({ length: HIDDEN }, (_, index) => join(this.#folder, `secret${index}`));

	constructor() {
		for (const file of this.#files) writeFileSync(file, "");
	}

	/** Runs `true` where the folder can be written, with all of its files hidden, or none. */
	runTrue(hidden: boolean): Promise<void> {
		return runTrue({ write: [this.#folder], ...(hidden && { hide: this.#files }) });
	}

	remove(): void {
		rmSync(this.#folder, { recursive: true });
	}
}

/** Returns the arguments of a bwrap that runs `true` with the mounts of a plan, and in which no user namespace can be made. */
export function bwrapOf({ mounts, links, user }: Plan): string[] {
	const ids = ["--uid", `${user.uid}`, "--gid", `${user.gid}`];
	return [
		...[
			"--unshare-all",
			"--unshare-user",
			"--disable-userns",
			"--cap-drop",
			"ALL",
			"--new-session",
			"--die-with-parent",
		],
		...ids,
		...mounts.flatMap(toBwrap),
		...links.filter(({ path }) => !path.startsWith("/dev/")).flatMap(({ path, target }) => ["--symlink", target, path]),
		...["--hostname", "sandbox", "true"],
	];
}

/** Returns the arguments for the mounts of {@link closed}. */
export function bwrapWithMountsOfRun(): string[] {
	return bwrapOf(plan(closed));
}

function toBwrap({ path, kind, type }: Plan["mounts"][number]): string[] {
	if (ofBwrap.includes(path) || kind === "device" || kind === "devpts") return [];
	if (path === "/dev") return ["--dev", path];
	if (kind === "proc") return ["--proc", path];
	if (kind === "folder") return ["--tmpfs", path];
	if (kind === "hide" && type === "directory") return ["--tmpfs", path, "--remount-ro", path];
	if (kind === "hide") return ["--ro-bind", "/dev/null", path];
	return [kind === "write" ? "--bind" : "--ro-bind", path, path];
}
