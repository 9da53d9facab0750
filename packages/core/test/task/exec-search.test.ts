import {
	chmodSync,
	closeSync,
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { type Need, needs } from "../../../../test/needs.ts";
import { Task } from "../../src/index.ts";

const [prctl, PR_GET_PDEATHSIG] = [process.arch === "x64" ? 157 : 167, 2];
const folder = mkdtempSync(join(tmpdir(), "nearfar-search-"));
const [first, second] = ["first", "second"].map((name) => join(folder, name)) as [string, string];
for (const name of [first, second]) mkdirSync(name);
afterAll(() => rmSync(folder, { recursive: true }));
const executable: Need = "a temporary folder whose files can be executed";
const env = { PATH: `${folder}/none:${first}:${second}` };

/** Makes a program of that name in the second folder, which exits with 7. */
function fallback(name: string): void {
	writeFileSync(join(second, name), "#!/bin/sh\nexit 7\n", { mode: 0o755 });
}

const found: [string, Need | undefined, string, (path: string) => unknown][] = [
	[
		"ETXTBSY",
		executable,
		"busy",
		(path) => {
			copyFileSync("/bin/true", path);
			const fd = openSync(path, "r+");
			return () => closeSync(fd);
		},
	],
	["ELOOP", undefined, "loop", (path) => symlinkSync("loop", path)],
	["ENOEXEC", executable, "text", (path) => writeFileSync(path, "exit 1\n", { mode: 0o755 })],
];

// As in execvp(3): the search ends at a file that is found and cannot be executed.
for (const [code, need, name, make] of found) {
	needs(...(need ? [need] : [])).test(`${code} ends the search, and leaves the task as it was`, async () => {
		const end = make(join(first, name));
		fallback(name);
		for (const way of ["run", "batch"] as const) {
			await using task = await Task.clone();
			const signal = new Int32Array(1);
			const exec = () => task.exec(name, undefined, { env, deathSignal: "SIGTERM" });
			const refused = expect.objectContaining({ code, syscall: "execve", path: join(first, name) });
			if (way === "run") expect(exec).toThrow(refused);
			else await expect(task.batch(exec)).rejects.toThrow(refused);
			task.syscall(prctl, PR_GET_PDEATHSIG, new Uint8Array(signal.buffer));
			expect([task.state, signal[0]]).toEqual(["live", 9]);
			expect((await task.exec("/bin/true").exited).code).toBe(0);
		}
		if (typeof end === "function") end();
	});
}

needs(executable).test("EACCES, ENOENT and ENOTDIR do not", async () => {
	fallback("later");
	writeFileSync(join(first, "later"), "");
	chmodSync(join(first, "later"), 0);
	const task = await Task.clone();
	const child = task.exec("later", undefined, { env: { PATH: `${folder}/none:/etc/passwd:${first}:${second}` } });
	expect((await child.exited).code).toBe(7);
});
