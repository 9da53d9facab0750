import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { native } from "@nearfar/core/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { children } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { IdMap, IdMapHelperError, type IdMaps, Task, writeIdMap } from "../../src/index.ts";
import { program } from "../executable.ts";
import { cloneWithScratch, mountScratch } from "../scratch.ts";

const [uid = 0, gid = 0] = [process.geteuid?.(), process.getegid?.()];
const idMap: IdMaps = {
	uids: new IdMap([[0, uid, 1]]),
	gids: new IdMap([
		[0, gid, 1],
		[1, 100_000, 10],
	]),
	helper: "always",
};
const map = (pid: number, which: string) =>
	readFileSync(`/proc/${pid}/${which}_map`, "utf8").trim().split(/\s+/).map(Number);

let folder: string;
let path: string | undefined;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "nearfar-helper-"));
	path = process.env.PATH;
	process.env.PATH = folder;
});

afterEach(() => {
	process.env.PATH = path;
	rmSync(folder, { recursive: true });
});

/** Puts a shell script in the place of a helper. */
function helper(name: "newuidmap" | "newgidmap", script: string): void {
	program(folder, name, `#!/bin/sh\n${script}\n`, 0o755);
}

const clone = (options: IdMaps = idMap, signal?: AbortSignal) =>
	Task.clone({ namespaces: ["user"], idMap: options, ...(signal && { signal }) });

needs("/proc").describe("a helper", () => {
	needs("a /proc of this pid namespace").test(
		"newgidmap runs first, with the pid and the lines of the map, PATH and nothing else",
		async () => {
			const told = join(folder, "told");
			for (const name of ["newuidmap", "newgidmap"] as const) {
				helper(
					name,
					`/usr/bin/env > ${told}.env; echo "$0 $*" >> ${told}; /bin/ls -l /proc/$$/fd | /usr/bin/wc -l >> ${told}`,
				);
			}
			await using task = await clone();
			const lines = readFileSync(told, "utf8").trim().split("\n");
			expect(lines[0]).toBe(`${folder}/newgidmap ${task.pid} 0 ${gid} 1 1 100000 10`);
			expect(lines[2]).toBe(`${folder}/newuidmap ${task.pid} 0 ${uid} 1`);
			const names = readFileSync(`${told}.env`, "utf8").trim().split("\n");
			expect(names).toContain(`PATH=${folder}:/usr/bin`);
			expect(names.filter((line) => !/^(PATH|PWD|_|SHLVL|OLDPWD)=/.test(line))).toEqual([]); // a shell sets the others itself
		},
	);

	test("an exit code is an error with the last line, the command and the output, and nothing is left", async () => {
		const before = children(process.pid);
		helper("newgidmap", "echo first >&2; echo 'newgidmap: not allowed' >&2; exit 3");
		const error = await reason(clone);
		expect(error).toBeInstanceOf(IdMapHelperError);
		expect(error).toMatchObject({
			code: "ERR_NEARFAR_ID_MAP_HELPER",
			status: { code: 3, signal: null },
			command: {
				path: "newgidmap",
				argv: ["newgidmap", expect.stringMatching(/^\d+$/), "0", `${gid}`, "1", "1", "100000", "10"],
			},
			stderr: "first\nnewgidmap: not allowed\n",
		});
		expect((error as Error).message).toMatch(/not allowed$/);
		expect(children(process.pid)).toEqual(before);
	});

	needs("an ordinary user").test(
		"rootlesskit #326: a helper without its bit is named, with what gives it back",
		async () => {
			helper("newgidmap", "exit 1");
			const hint = expect.stringContaining(`${folder}/newgidmap has neither the set-user-id bit`);
			expect(await reason(clone)).toMatchObject({ code: "ERR_NEARFAR_ID_MAP_HELPER", hint });
		},
	);

	needs("an ordinary user").test("buildkit #1904: no_new_privs is what a helper suffers from", async () => {
		helper("newgidmap", "exit 1");
		await using by = await Task.clone();
		by.run(() => native().setNoNewPrivs());
		const refused = await reason(() => by.clone({ namespaces: ["user"], idMap }));
		expect(refused).toMatchObject({ hint: expect.stringContaining("no_new_privs") });
	});

	test("a helper that is killed is an error with the signal", async () => {
		helper("newgidmap", "kill -9 $$");
		expect(await reason(clone)).toMatchObject({
			code: "ERR_NEARFAR_ID_MAP_HELPER",
			status: { code: null, signal: "SIGKILL" },
		});
	});

	test("abort kills a helper that hangs, and nothing is left", async () => {
		const before = children(process.pid);
		helper("newgidmap", `echo $$ > ${folder}/pid; exec /bin/sleep 1000`);
		const control = new AbortController();
		const cloning = reason(() => clone(idMap, control.signal));
		await expect.poll(() => children(process.pid).some((line) => line.includes("(sleep)"))).toBe(true);
		control.abort("too long");
		expect(await cloning).toMatchObject({ code: "ABORT_ERR", cause: "too long" });
		expect(children(process.pid)).toEqual(before);
	});

	test("a helper that prints 1 MB does not wait, and the error keeps the end", async () => {
		helper(
			"newgidmap",
			"/usr/bin/head -c 1000000 /dev/zero | /usr/bin/tr '\\0' x >&2; echo >&2; echo the end >&2; exit 1",
		);
		const error = (await reason(clone)) as IdMapHelperError;
		expect(error).toBeInstanceOf(IdMapHelperError);
		expect(error.stderr.length).toBe(16_384);
		expect(error.stderr.endsWith("x\nthe end\n")).toBe(true);
		expect(error.message.length).toBeLessThan(1000);
	});

	test("a process that a helper leaves behind with its output does not keep the error back", async () => {
		helper("newgidmap", "(exec /bin/sleep 5) & echo left >&2; exit 1");
		const error = (await reason(clone)) as IdMapHelperError;
		expect(error.stderr).toBe("left\n");
	});

	needs("mnt namespaces").test("a helper that is missing is ENOENT of execve, and nothing is left", async () => {
		await using by = await cloneWithScratch();
		mountScratch(by, 0, "", "/usr/bin");
		const before = children(by.pid);
		const gids = new IdMap([[0, 0, 1]]);
		const refused = await reason(() => by.clone({ namespaces: ["user"], idMap: { gids, helper: "always" } }));
		expect(refused).toMatchObject({ code: "ENOENT", syscall: "execve", path: "newgidmap" });
		expect(children(by.pid)).toEqual(before);
	});

	needs("newuidmap and newgidmap with their bits").test(
		"a helper that is in no folder of PATH is found in /usr/bin, also without PATH",
		async () => {
			const foreign = new IdMap([[0, 4_000_000_000, 1]]);
			for (const PATH of [folder, "", undefined]) {
				if (PATH === undefined) delete process.env.PATH;
				else process.env.PATH = PATH;
				expect(await reason(() => clone({ uids: foreign, helper: "always" }))).toBeInstanceOf(IdMapHelperError);
			}
		},
	);

	test("the first map stays when the second helper fails", async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "none" });
		helper("newuidmap", "exit 1");
		const gids = new IdMap([[0, gid, 1]]);
		const uids = new IdMap([[0, uid, 1]]);
		await writeIdMap(task, { gids, setgroups: "deny" });
		expect(await reason(() => writeIdMap(task, { uids, helper: "always" }))).toBeInstanceOf(IdMapHelperError);
		expect([map(task.pid, "gid"), map(task.pid, "uid")]).toEqual([[0, gid, 1], [0]]);
	});

	test("podman #13149: a helper is not run for a map that the kernel would refuse, and the kernel's error is not hidden", async () => {
		helper("newgidmap", `echo > ${folder}/ran`);
		const overlapping = [
			{ inside: 0, outside: gid, count: 2 },
			{ inside: 1, outside: gid + 5, count: 2 },
		];
		expect(await reason(() => clone({ gids: overlapping, helper: "always" }))).toMatchObject({
			code: "ERR_OUT_OF_RANGE",
		});
		expect(() => readFileSync(`${folder}/ran`)).toThrow();
	});

	needs("a /proc of this pid namespace").test(
		"a target that ends while a helper runs keeps its pid until the helper has ended",
		async () => {
			const isZombie = "/bin/grep -q 'State:.Z' /proc/$1/status";
			helper("newgidmap", `kill -9 $1; until ${isZombie}; do [ -e /proc/$1 ] || exit 4; done; exit 3`);
			expect(await reason(clone)).toMatchObject({ code: "ERR_NEARFAR_ID_MAP_HELPER", status: { code: 3 } });
		},
	);

	needs("a /proc of this pid namespace").test(
		"a process that is no child has its maps written by no helper: the pid could become another's",
		async () => {
			const maps: IdMaps = { uids: new IdMap([[0, uid, 1]]), helper: "always" };
			expect(await reason(() => writeIdMap(process.ppid, maps))).toMatchObject({
				code: "ECHILD",
				path: `/proc/${process.ppid}/uid_map`,
			});
		},
	);
});
