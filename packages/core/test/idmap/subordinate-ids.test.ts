import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { subordinateIds } from "@nearfar/core";
import { afterEach, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { random } from "./reference.ts";

const folders: string[] = [];
afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const passwd = "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/:/bin/sh\n";

/** Makes a folder that takes the place of /etc. */
function makeEtc(files: Record<string, string>): string {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-etc-"));
	folders.push(folder);
	for (const [name, text] of Object.entries({ passwd, group: "root:x:0:\n", ...files })) {
		mkdirSync(dirname(join(folder, name)), { recursive: true });
		writeFileSync(join(folder, name), text);
	}
	return folder;
}

interface Question {
	/** `null`: the default. */
	users: readonly (string | number | null)[];
	path?: string;
	oracle?: readonly string[];
	inTask?: boolean;
	/** Asks in a working directory that was removed. */
	removed?: boolean;
}

/** Asks in a Node that was started in a mount namespace of its own, in which the folder is /etc. */
async function ask(folder: string, question: Question) {
	const script = 'mount --bind "$1" /etc && shift && exec "$@"';
	const wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder];
	const end = await runFixture("core/subordinate-ids", { wrapper, args: [JSON.stringify(question)] });
	expect(end).toMatchObject({ code: 0, signal: null });
	return end.report as { answers: unknown[]; oracle: [number, number][] };
}

const range = (start: number, count: number) => ({ start, count });
const none = { uids: [], gids: [], source: "files" };
const inside = needs("/proc", "user namespaces", "mnt namespaces", "the program unshare", "the program mount");
const withProgram = needs("/proc", "user namespaces", "mnt namespaces", "the program unshare", "the program getsubids");
const withScript = needs(
	"/proc",
	"user namespaces",
	"mnt namespaces",
	"a temporary folder whose files can be executed",
);

inside.test(
	"rootlesskit #141, podman-static #95, D14: lines with the name and with the uid belong to the user",
	async () => {
		const folder = makeEtc({
			subuid: "# anna:1:1\nanna:200000:1000\nbert:1:1\n1000:100000:65536\nroot:7:8\nannabel:5:5\n",
			subgid: "1000:300000:10\nanna:300010:10\nanna:300015:100\n",
		});
		const anna = {
			uids: [range(100_000, 65_536), range(200_000, 1000)],
			gids: [range(300_000, 115)],
			source: "files",
		};
		const { answers } = await ask(folder, { users: ["anna", 1000, null, "root", 0] });
		const root = { uids: [range(7, 8)], gids: [], source: "files" };
		expect(answers).toEqual([anna, anna, root, root, root]);
	},
);

inside.test("podman #5196, shadow #154, D15: a user without an entry in passwd has the ranges of the uid", async () => {
	const folder = makeEtc({ subuid: "4242:100000:10\nghost:200000:10\n" });
	const { answers } = await ask(folder, { users: [4242, "ghost", "nobody-knows", 4243] });
	const [byId, byName] = [100_000, 200_000].map((start) => ({ ...none, uids: [range(start, 10)] }));
	expect(answers).toEqual([byId, byName, none, none]);
});

inside.test("missing files are empty", async () => {
	expect(await ask(makeEtc({}), { users: ["anna", null] })).toMatchObject({ answers: [none, none] });
});

inside.test("malformed lines are skipped", async () => {
	const malformed = [
		...["anna", "anna:", "anna:5", "anna:5:", "anna::5", ":5:5", "anna:x:5", "anna:5:x", "anna:-5:5", "anna:5:-5"],
		...["anna: 5:5", " anna:5:5", "anna:5:5 ", "anna:5:5:", "anna:5:5:5", "anna:0x5:5", "anna:05:5", "anna:+5:5"],
		...["anna:5:0", "anna:4294967295:1", "anna:4294967290:6", "anna:5:4294967295", "anna:99999999999999999999:1"],
		...["#anna:5:5", "ANNA:5:5", "evil\ranna:5:5", "anna:5:5\r", "anna:5:5\u2028anna:5:5", "anna:5:5\0", "", "\0"],
	];
	const folder = makeEtc({ subuid: `${malformed.join("\n")}\nanna:4294967290:5\nanna:0:3` });
	const { answers } = await ask(folder, { users: ["anna", "", "anna:5", "#anna"] });
	const anna = { ...none, uids: [range(0, 3), range(4_294_967_290, 5)] };
	expect(answers).toEqual([anna, none, none, none]);
});

inside.test("the answer is about the files of Node, also while a task is current", async () => {
	const folder = makeEtc({ subuid: "anna:1:1\n" });
	const { answers } = await ask(folder, { users: ["anna"], inTask: true });
	expect(answers).toEqual([{ ...none, uids: [range(1, 1)] }]);
});

inside.test("a named pipe, a folder and a file of 100 MB are refused, and a link is followed", async () => {
	const [pipe, directory, large, link] = [makeEtc({}), makeEtc({}), makeEtc({ subuid: "" }), makeEtc({ there: "" })];
	spawnSync("mkfifo", [join(pipe, "subuid")]);
	mkdirSync(join(directory, "subuid"));
	truncateSync(join(large, "subuid"), 100e6);
	writeFileSync(join(link, "there"), "anna:1:2\n");
	symlinkSync("there", join(link, "subuid"));
	symlinkSync("/dev/zero", join(link, "subgid"));
	for (const folder of [pipe, directory, large, link]) {
		const { answers } = await ask(folder, { users: ["anna"] });
		expect(answers).toMatchObject([{ code: "ERR_NEARFAR_FORMAT" }]);
	}
	rmSync(join(link, "subgid"));
	expect(await ask(link, { users: ["anna"] })).toMatchObject({ answers: [{ uids: [range(1, 2)] }] });
});

withProgram.test("random files have the ranges that getsubids finds for the name and for the uid", async () => {
	for (let seed = 0; seed < 10; seed++) {
		const next = random(seed);
		const owner = () => ["root", "0", "anna", "#root", "", "roots"][next(6)];
		const number = () => ["", "x", "-1", `${next(100)}`, `${next(100)}`, `${next(100)}`, `${next(100)}`][next(7)];
		const lines = Array.from({ length: 30 }, () => [owner(), number(), number()].slice(0, 2 + next(4)).join(":"));
		const folder = makeEtc({ subuid: `root:5000:1\n0:6000:1\n${lines.join("\n")}` });
		const { answers, oracle } = await ask(folder, { users: ["root"], oracle: ["root", "0"] });
		const ids = new Set(oracle.flatMap(([start, count]) => Array.from({ length: count }, (_, i) => start + i)));
		const [{ uids }] = answers as [{ uids: { start: number; count: number }[] }];
		const found = uids.flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i));
		expect(new Set(found), `seed ${seed}: ${lines}`).toEqual(ids);
		expect(found).toEqual([...ids].sort((a, b) => a - b));
	}
});

withProgram.test("rootlesskit #48, D15: another source in nsswitch.conf is asked through getsubids", async () => {
	const files = { subuid: "anna:100000:65536\nanna:165536:4\n", subgid: "anna:200000:10\n" };
	const anna = { uids: [range(100_000, 65_540)], gids: [range(200_000, 10)], source: "getsubids" };
	const folder = makeEtc({ ...files, "nsswitch.conf": "passwd: files\nsubid: files sss # both\n" });
	const { answers } = await ask(folder, { users: ["anna", 1000, "nobody-knows", null] });
	expect(answers).toEqual([anna, anna, { ...none, source: "getsubids" }, { ...none, source: "getsubids" }]);
	for (const line of ["subid: files", "#subid: sss", "subid:", "subids: sss", "subid: files # sss", " subid: sss"]) {
		const other = makeEtc({ ...files, "nsswitch.conf": `${line}\n` });
		expect(await ask(other, { users: ["anna"] }), line).toMatchObject({ answers: [{ source: "files" }] });
	}
});

inside.test("a missing getsubids is ENOENT, also when the working directory is gone", async () => {
	const folder = makeEtc({ "nsswitch.conf": "subid: ldap\n", subuid: "anna:1:1\n" });
	for (const removed of [false, true]) {
		const { answers } = await ask(folder, { users: ["anna"], path: "/etc", removed });
		expect(answers).toEqual([{ name: "SyscallError", code: "ENOENT", syscall: "execve", path: "getsubids" }]);
	}
});

withScript.test(
	"a getsubids that fails, is killed or prints much rejects, and malformed lines are skipped",
	async () => {
		const rows: [script: string, answer: object][] = [
			["exit 1", { uids: [], gids: [], source: "getsubids" }],
			["exit 3", { name: "ExitError", code: "ERR_NEARFAR_EXIT", status: { code: 3, signal: null, dumped: false } }],
			["kill -KILL $$", { code: "ERR_NEARFAR_EXIT", status: { code: null, signal: "SIGKILL", dumped: false } }],
			["exec cat /dev/zero", { code: "ERR_CHILD_PROCESS_STDIO_MAXBUFFER" }],
			["echo 0: $* 5 6; echo 1: anna 18446744073709551611 5; echo 2 3 4; echo", { uids: [range(5, 6)] }],
		];
		for (const [script, answer] of rows) {
			const folder = makeEtc({ "nsswitch.conf": "subid: ldap\n", "bin/getsubids": `#!/bin/sh\n${script}\n` });
			chmodSync(join(folder, "bin/getsubids"), 0o755);
			const { answers } = await ask(folder, { users: ["anna"], path: "/etc/bin:/usr/bin:/bin" });
			expect(answers, script).toMatchObject([answer]);
		}
		const folder = makeEtc({ "nsswitch.conf": "subid: ldap\n", "bin/getsubids": "" });
		const { answers } = await ask(folder, { users: ["anna"], path: "/etc/bin" });
		expect(answers).toMatchObject([{ name: "SyscallError", code: "EACCES", syscall: "execve" }]);
	},
);

test("wrong users are refused", async () => {
	for (const user of [null, true, {}, 5n]) {
		await expect(subordinateIds(user as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	}
	for (const user of [-1, 1.5, 4_294_967_295]) {
		await expect(subordinateIds(user)).rejects.toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	}
	await expect(subordinateIds("an\0na")).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
});
