import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nearfar } from "./command.ts";

test.each([[["--help"]], [["run", "--help"]], [["doctor", "--help"]]])(
	"%j fits 80 columns and 24 rows",
	async (args) => {
		const { code, stdout, stderr } = await nearfar(args);
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		const lines = stdout.trimEnd().split("\n");
		expect(lines.length).toBeLessThanOrEqual(23); // the next prompt takes a row
		for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
	},
);

test("--version is that of the package", async () => {
	const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
	expect(await nearfar(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
});

test("doctor prints its verdict in the first line, and --json the report", async () => {
	const { code, stdout } = await nearfar(["doctor"]);
	expect([0, 1]).toContain(code);
	expect(stdout.split("\n")[0]).toMatch(/^This host can(not)? run sandboxes/);
	const report = JSON.parse((await nearfar(["doctor", "--json"])).stdout);
	expect(report.verdict).toBe(stdout.split("\n")[0]);
	for (const { name } of report.items) expect(stdout).toContain(name);
});
