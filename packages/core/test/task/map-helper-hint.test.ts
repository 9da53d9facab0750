import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { native } from "@nearfar/core/internal";
import { afterEach, beforeEach, expect } from "vitest";
import { needs, skipUnless } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { reason } from "../../../../test/reason.ts";
import { IdMap, type IdMapHelperError, type IdMaps, type SyscallError, Task } from "../../src/index.ts";
import { program } from "../executable.ts";

const uid = process.geteuid?.() || 1000;
const uids = new IdMap([
	[0, uid, 1],
	[1, 3_000_000_000, 10],
]);
const idMap: IdMaps = { uids, helper: "always" };
const MODE = 0o755;

let folder: string;
let path: string | undefined;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "nearfar-helper-"));
	chmodSync(folder, MODE);
	path = process.env.PATH;
	process.env.PATH = folder;
	program(folder, "newuidmap", "#!/bin/sh\nexit 1\n", MODE);
});

afterEach(() => {
	process.env.PATH = path;
	rmSync(folder, { recursive: true });
});

async function hintOf(by: Task): Promise<string> {
	const error = (await reason(() => by.clone({ namespaces: ["user"], idMap }))) as IdMapHelperError;
	expect(error).toMatchObject({ code: "ERR_NEARFAR_ID_MAP_HELPER", command: { path: "newuidmap" } });
	return error.hint ?? "";
}

needs("/proc", "no_new_privs that is not set").test(
	"buildkit #1671 a helper without its bit is named, with the command that gives it the bit",
	async () => {
		await using by = await Task.clone();
		becomeOrdinary(by);
		const hint = await hintOf(by);
		for (const word of [`${folder}/newuidmap`, "setcap cap_setuid"]) expect(hint).toContain(word);
	},
);

needs("/proc").test("rootlesskit #326 a helper under no_new_privs is refused, and the hint says so", async () => {
	await using by = await Task.clone();
	becomeOrdinary(by);
	by.run(() => native().setNoNewPrivs());
	expect(await hintOf(by)).toContain("no_new_privs");
});

needs("/proc", "no_new_privs that is not set").test(
	"a helper with its bit and a user without subordinate ids: the hint names the file",
	async () => {
		chmodSync(join(folder, "newuidmap"), 0o4755);
		await using by = await Task.clone();
		becomeOrdinary(by);
		// The owner of the file is root only where root runs the tests.
		expect(await hintOf(by)).toMatch(uid === process.geteuid?.() ? /not belong to root/ : /\/etc\/subuid/);
	},
);

needs("/proc").test("a helper that is not there is named, with the package that has it", async () => {
	skipUnless(!existsSync("/usr/bin/newuidmap"), "a machine without newuidmap");
	rmSync(join(folder, "newuidmap"));
	const error = (await reason(() => Task.clone({ namespaces: ["user"], idMap }))) as SyscallError;
	expect(error).toMatchObject({ code: "ENOENT", syscall: "execve" });
	expect(error.hint).toContain("newuidmap is not found");
});

needs("/proc", "no_new_privs that is not set").test("a uid without a line in /etc/passwd is named", async () => {
	program(folder, "newuidmap", "#!/bin/sh\necho 'newuidmap: Cannot determine your user name.' >&2\nexit 1\n", MODE);
	await using by = await Task.clone();
	becomeOrdinary(by);
	expect(await hintOf(by)).toContain("/etc/passwd");
});
