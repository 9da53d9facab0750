// Compiles strange.c once for each test file.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import { has } from "../../../../test/needs.ts";

/** Compiles the addon before the first test of a file. Returns the variable by which a Node under test finds it. */
export function strangeAddon(): Record<string, string> {
	const env: Record<string, string> = {};
	if (!has("the program cc")) return env;
	let folder: string;
	beforeAll(() => {
		folder = mkdtempSync(join(tmpdir(), "nearfar-strange-"));
		chmodSync(folder, 0o755);
		env.STRANGE_THREADS = join(folder, "strange.node");
		const source = fileURLToPath(new URL("strange.c", import.meta.url));
		const args = ["-O1", "-shared", "-fPIC", "-pthread", "-o", env.STRANGE_THREADS, source];
		const { status, stderr } = spawnSync("cc", args, { encoding: "utf8" });
		if (status !== 0) throw new Error(`cc cannot compile strange.c:\n${stderr}`);
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));
	return env;
}
