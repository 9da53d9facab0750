import { userInfo } from "node:os";
import { Task } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { run, type SpawnOptions, spawn } from "../../src/index.ts";
import { allFive, fiveSets, seenFromOutside } from "./five-sets.ts";
import { shell } from "./output.ts";

needs("root", "the program getent", "the program id").describe("a program of the user", () => {
	for (const [what, user] of [
		["by name", "nobody"],
		["by number", 65534],
		["by the name root", "root"],
	] as const) {
		test(`${what} has the ids and the groups that the C library knows`, async () => {
			const [uid, gid, groups] = await Promise.all(
				["-u", "-g", "-G"].map((flag) => shell(`id ${flag} $(id -un ${user})`)),
			);
			const seen = await seenFromOutside({ user });
			const four = (id = "") => Array(4).fill(id).join(" ");
			const sorted = (list = "") =>
				list
					.split(" ")
					.map(Number)
					.sort((a, b) => a - b)
					.join(" ");
			expect([seen.uid, seen.gid, seen.groups]).toEqual([four(uid), four(gid), sorted(groups)]);
		});
	}

	test("is looked up by Node, whatever the root of the program is", async () => {
		const { uid } = await seenFromOutside({ user: "nobody", root: "/", killTree: true });
		expect(uid).toBe("65534 65534 65534 65534");
	});

	test("is looked up by Node, whichever task is current", async () => {
		await using task = await Task.clone();
		let seen: ReturnType<typeof seenFromOutside> | undefined;
		task.run(() => {
			seen = seenFromOutside({ user: "nobody", capabilities: ["chown"] });
		});
		expect(await seen).toMatchObject({ uid: "65534 65534 65534 65534", sets: allFive(1n) });
	});

	test("keeps the bounding set without the option capabilities", async () => {
		const { sets } = await seenFromOutside({ user: "nobody" });
		expect(sets).toEqual({ ...allFive(0n), CapBnd: fiveSets("self").CapBnd });
	});

	test("has ids that the user namespace of the program has to map", async () => {
		const options: SpawnOptions = { user: "nobody", namespaces: ["user"], idMap: "root" };
		const error = await reason(() => spawn("true", [], options));
		// The kernel denies setgroups(2) to such a namespace.
		expect(error).toMatchObject({ code: "EPERM", syscall: "setgroups", hint: expect.stringContaining("idMap") });
	});
});

needs("an ordinary user").test("to an ordinary user the error says which capability another user needs", async () => {
	const uid = process.getuid?.() ?? 0;
	for (const [options, syscall, capability] of [
		[{ user: "root" }, "setgroups", "CAP_SETGID"],
		[{ gid: 0 }, "setresgid", "CAP_SETGID"],
		[{ uid: uid + 1 }, "setresuid", "CAP_SETUID"],
		[{ uid: uid + 1, killTree: true }, "setresuid", "CAP_SETUID"],
		[{ uid: uid + 1, setup: () => {} }, "setresuid", "CAP_SETUID"],
	] as const) {
		const error = await reason(() => spawn("true", [], options));
		expect(error).toMatchObject({ code: "EPERM", syscall, hint: expect.stringContaining(capability) });
	}
});

describe("the option user", () => {
	test.each<[string, unknown, string]>([
		["a name that no user has", "no such user", "ERR_NEARFAR_UNKNOWN_USER"],
		["a string of digits, which is a name", "0", "ERR_NEARFAR_UNKNOWN_USER"],
		["a number that no user has", 4_000_000_000, "ERR_NEARFAR_UNKNOWN_USER"],
		["a number that is no id", 2 ** 32 - 1, "ERR_OUT_OF_RANGE"],
		["a negative number", -1, "ERR_OUT_OF_RANGE"],
		["a name with a NUL byte", "root\0", "ERR_INVALID_ARG_VALUE"],
		["an object", {}, "ERR_INVALID_ARG_TYPE"],
		["null", null, "ERR_INVALID_ARG_TYPE"],
	])("refuses %s", async (_, user, code) => {
		const options = { user } as SpawnOptions;
		expect(await reason(() => spawn("true", [], options))).toMatchObject({ code });
		expect(await reason(() => run("true", [], options))).toMatchObject({ code });
	});

	test.each<SpawnOptions>([{ uid: 0 }, { gid: 0 }, { groups: [] }])("refuses %o beside it", async (other) => {
		const error = await reason(() => spawn("true", [], { user: userInfo().uid, ...other }));
		expect(error).toMatchObject({ code: "ERR_INVALID_ARG_VALUE", name: "TypeError" });
	});
});
