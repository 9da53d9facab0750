import { readFileSync } from "node:fs";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";
import { shell } from "./output.ts";

const ids = `grep -E '^(Uid|Gid|Groups|CapEff):' ${ownProc}/self/status | tr -s '\\t ' ' '`;
const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];

needs("root").test.each<[string, SpawnOptions, [string, string, string]]>([
	["uid alone clears the groups", { uid: 1000 }, ["1000", "0", ""]],
	["gid alone clears the groups", { gid: 1000 }, ["0", "1000", ""]],
	["groups alone", { groups: [5, 7] }, ["0", "0", "5 7"]],
	["groups before gid before uid", { uid: 1000, gid: 1001, groups: [4, 1001] }, ["1000", "1001", "4 1001"]],
	["with killTree", { uid: 1000, gid: 1000, killTree: true }, ["1000", "1000", ""]],
])("%s", async (_, options, [user, group, groups]) => {
	const seen = (await shell(ids, options)).split("\n").map((line) => line.trim());
	expect(seen.slice(0, 3)).toEqual([
		`Uid:${` ${user}`.repeat(4)}`,
		`Gid:${` ${group}`.repeat(4)}`,
		`Groups: ${groups}`.trim(),
	]);
});

needs("root").test("what needs a privilege is done before it is given up, and no_new_privs is kept", async () => {
	const script = `${ids}; ulimit -n; nice; pwd; grep NoNew ${ownProc}/self/status; cat < ${ownProc}/self/fd/0`;
	const options: SpawnOptions = {
		uid: 1000,
		gid: 1000,
		nice: -3,
		cwd: "/root",
		noNewPrivs: true,
		limits: { nproc: 5000 },
	};
	const seen = await shell(script.replace(`; cat < ${ownProc}/self/fd/0`, ""), options);
	expect(seen).toContain("CapEff: 0000000000000000");
	expect(seen).toMatch(/-3\n\/root\nNoNewPrivs:\s1$/);
});

test("an ordinary user may give himself the ids that he has", async () => {
	const seen = await shell("id -u; id -g", { uid, gid });
	expect(seen).toBe(`${uid}\n${gid}`);
});

needs("an ordinary user").test("other ids are refused to an ordinary user", async () => {
	for (const [options, syscall] of [
		[{ uid: uid + 1 }, "setresuid"],
		[{ gid: gid + 1 }, "setresgid"],
		[{ groups: [] }, "setgroups"],
	] as const) {
		expect(await reason(() => spawn("true", [], options))).toMatchObject({ code: "EPERM", syscall });
	}
});

needs("an ordinary user").test(
	"a lower nice value is refused to an ordinary user: the step is setpriority",
	async () => {
		for (const more of [{}, { killTree: true }]) {
			expect(await reason(() => spawn("true", [], { nice: -5, ...more }))).toMatchObject({
				code: "EACCES",
				syscall: "setpriority",
			});
		}
	},
);

test("in a user namespace the ids are those of its maps", async () => {
	const rooted = { namespaces: ["user"], idMap: "root" } satisfies SpawnOptions;
	expect(await shell("id -u; id -g", { ...rooted, uid: 0, gid: 0 })).toBe("0\n0");
	expect(await shell("id -u", { namespaces: ["user"] })).toBe(`${uid}`);
});

needs("root").test("ranges of ids are mapped", async () => {
	const map = [{ inside: 0, outside: 100_000, count: 10 }];
	const options: SpawnOptions = { namespaces: ["user"], idMap: { uids: map, gids: map }, uid: 5, gid: 6, groups: [7] };
	expect(await shell("id -u; id -g; id -G", options)).toBe("5\n6\n6 7");
	await using child = await spawn("sleep", ["1000"], { ...options, stdio: "ignore" });
	expect(readFileSync(`/proc/${child.pid}/status`, "utf8")).toMatch(/^Uid:\t100005\t/m);
});

test("Node's own ids are what they were", async () => {
	expect([process.getuid?.(), process.getgid?.()]).toEqual([uid, gid]);
	await using task = await Task.clone();
	expect(task.run(() => process.getuid?.())).toBe(uid);
});
