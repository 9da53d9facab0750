import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { has, isRoot } from "../../../test/needs.ts";
import { run, type SandboxOptions } from "../src/index.ts";

// The first sandbox of root opens the user namespace of the id maps, which lives as long as the process. Before Linux 6.3 a tmpfs cannot
// be mapped.
const isWritable = !isRoot || has("a temporary folder that can be id-mapped");
await run("true", [], { preset: "closed", ...(isWritable && { write: [tmpdir()] }) });

const folders: string[] = [];

afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Makes a folder of the host, which is removed after the test. */
export function folder(): string {
	const made = realpathSync(mkdtempSync(join(tmpdir(), "nearfar-sandbox-")));
	chmodSync(made, 0o755);
	folders.push(made);
	return made;
}

/** Returns the output of a shell in a sandbox of its own. Throws unless the shell ends with 0. */
export async function inside(script: string, options: SandboxOptions = {}): Promise<string> {
	const { stdout } = (await run("sh", ["-c", script], { preset: "closed", ...options })).check();
	return `${stdout}`.trim();
}

/** Returns whether a shell in a sandbox of its own ends with 0. */
export async function succeeds(script: string, options: SandboxOptions = {}): Promise<boolean> {
	return (await run("sh", ["-c", script], { preset: "closed", ...options })).code === 0;
}

/** Returns whether a shell of the host ends with 0: an attempt that fails here too shows nothing. */
export function succeedsOutside(script: string, env: Record<string, string> = {}): boolean {
	return spawnSync("sh", ["-c", script], { env: { ...process.env, ...env } }).status === 0;
}
