import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { succeeded } from "./sandbox-process.ts";

const program = fileURLToPath(new URL("dist/sandbox-demo.js", import.meta.url));

test("every attempt of the hostile program is refused in a sandbox of `nearfar run`", () => {
	const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
	expect(succeeded(stdout)).toEqual([]);
	const count = stdout.match(/refused/g)?.length ?? 0;
	expect(count).toBeGreaterThanOrEqual(66); // 70 where the project may be written
	expect(stdout).toContain(" attempts, 0 succeeded\n");
	expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
