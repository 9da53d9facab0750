import { BatchError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { statusNumbers } from "../../../test/status.ts";
import { getegid, geteuid, getgid, getgroups, getresgid, getresuid, getuid } from "../src/index.ts";

const [SETRESUID, SETRESGID, SETGROUPS] = process.arch === "arm64" ? [147, 149, 159] : [117, 119, 116];

test("near, ids are those of /proc", () => {
	expect(all()).toEqual(seen("self"));
});

test("far, ids are those of /proc", async () => {
	await using task = await Task.clone();
	expect(task.run(all)).toEqual(seen(task.pid));
});

test("in a user namespace ids are those inside, 65534 where none is mapped", async () => {
	await using mapped = await Task.clone({ namespaces: ["user"], idMap: "root" });
	await using bare = await Task.clone({ namespaces: ["user"], idMap: "none" });
	const zero = { real: 0, effective: 0, saved: 0 };
	const nobody = { real: 65534, effective: 65534, saved: 65534 };
	expect([mapped.run(getresuid), mapped.run(getresgid)]).toEqual([zero, zero]);
	expect([bare.run(getresuid), bare.run(getresgid)]).toEqual([nobody, nobody]);
});

needs("root").test("three different ids are told apart", async () => {
	await using task = await Task.clone();
	task.syscall(SETRESGID, 21, 22, 23);
	task.syscall(SETRESUID, 11, 12, 13);
	expect(task.run(getresuid)).toEqual({ real: 11, effective: 12, saved: 13 });
	expect(task.run(getresgid)).toEqual({ real: 21, effective: 22, saved: 23 });
	expect(task.run(() => [getuid(), geteuid(), getgid(), getegid()])).toEqual([11, 12, 21, 22]);
});

needs("root").test.each([0, 1, 1000, 65536])("a list of %i groups is returned whole", async (count) => {
	await using task = await Task.clone();
	const groups = Uint32Array.from({ length: count }, (_, index) => 7 + index);
	task.syscall(SETGROUPS, count, new Uint8Array(groups.buffer));
	expect(task.run(getgroups)).toEqual([...groups]);
});

test.each([getuid, geteuid, getgid, getegid, getresuid, getresgid, getgroups])(
	"%o cannot be asked in a batch",
	async (get) => {
		await using task = await Task.clone();
		await expect(task.batch<unknown>(get)).rejects.toThrow(BatchError);
	},
);

function all() {
	return {
		uids: [getuid(), geteuid(), ...Object.values(getresuid())],
		gids: [getgid(), getegid(), ...Object.values(getresgid())],
		groups: getgroups(),
	};
}

function seen(pid: number | "self") {
	const [ruid, euid, suid] = statusNumbers(pid, "Uid");
	const [rgid, egid, sgid] = statusNumbers(pid, "Gid");
	return {
		uids: [ruid, euid, ruid, euid, suid],
		gids: [rgid, egid, rgid, egid, sgid],
		groups: statusNumbers(pid, "Groups"),
	};
}
