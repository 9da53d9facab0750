import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { folder, nearfar, program } from "./command.ts";

/** Runs a line of bash in which `nearfar` is the command. */
function bash(line: string): { status: number | null; stdout: string; stderr: string } {
	const script = `nearfar() { "${process.execPath}" "${program}" "$@"; }; ${line}`;
	return spawnSync("bash", ["-c", script], { encoding: "utf8", cwd: folder() });
}

test("the command has the descriptors of nearfar themselves", async () => {
	const ended = await nearfar(["run", "sh", "-c", "cat; echo done >&2"], { input: "typed" });
	expect(ended).toMatchObject({ code: 0, stdout: "typed", stderr: "done\n" });
});

needs("the program bash").test("a reader that goes away ends the command, as without a sandbox", () => {
	expect(bash(`nearfar run yes | head -1; echo "\${PIPESTATUS[*]}"`)).toMatchObject({
		stdout: "y\n141 0\n",
		stderr: "",
	});
});

needs("the program bash").test("a reader that goes away does not matter to what nearfar prints", () => {
	for (const args of ["--help", "run --help", "doctor --help", "--version", "run --dry-run"]) {
		const { stdout, stderr } = bash(`nearfar ${args} | :; echo "\${PIPESTATUS[0]}"`);
		expect(["141\n", "0\n"]).toContain(stdout); // the text may be in the pipe before the reader has gone
		expect([args, stderr]).toEqual([args, ""]);
	}
	expect(bash("nearfar --help >&-")).toMatchObject({ status: 0 }); // Node opens /dev/null there
	expect(bash("nearfar --help >/dev/full")).toMatchObject({ status: 125 });
});

needs("the program bash").test("closed descriptors are no obstacle", () => {
	expect(bash("nearfar run sh -c 'cat; exit 3' <&-")).toMatchObject({ status: 3, stderr: "" });
	expect(bash("nearfar run sh -c 'exit 3' <&- >&- 2>&-")).toMatchObject({ status: 3 });
	expect(bash("nearfar run --wrong 2>&-")).toMatchObject({ status: 125 });
	expect(bash("nearfar run --json 3 true 3>&-").status).toBe(125);
	expect(bash("nearfar run --json 3 true 3</dev/null").status).toBe(125);
	expect(bash("nearfar run --json 1 sh -c 'exit 4'").stdout).toContain('"code":4');
});
