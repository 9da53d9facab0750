import { expect, test } from "vitest";
import { openat2, Task } from "../../src/index.ts";

const warnings: Error[] = [];
process.on("warning", (warning) => warnings.push(warning));

/** Executes a program that ends at once. Resolves with the warnings that this process has got so far. */
async function warningsAfter(path: string, argv?: string[]): Promise<string[]> {
	const task = await Task.clone();
	await task.exec(path, argv).exited;
	return warnings.map(({ name }) => name);
}

test("a program may have any name, and a login shell the name of its file after a dash", async () => {
	expect(await warningsAfter("/bin/true")).toEqual([]);
	expect(await warningsAfter("true", ["another name", "-c"])).toEqual([]);
	expect(await warningsAfter("/bin/sh", ["-sh", "-c", "true"])).toEqual([]);
	expect(await warningsAfter("sh", ["-sh", "-c", "true"])).toEqual([]);
	const task = await Task.clone();
	using shell = task.run(() => openat2("/bin/sh"));
	await task.exec(shell, ["-bash", "-c", "true"]).exited;
	expect(warnings).toEqual([]);
});

test("an option in place of the name is a warning, once", async () => {
	expect(await warningsAfter("sh", ["-c", "exit 3"])).toEqual(["NearfarWarning"]);
	expect(await warningsAfter("true", ["-e"])).toEqual(["NearfarWarning"]);
});
