import { openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";
import { shell } from "./output.ts";

needs("the program hostname").test("join enters open namespaces, in their order", async () => {
	await using home = await Task.clone({ namespaces: ["user", "uts"], idMap: "root" });
	home.run(() => openat2(`${ownProc}/self/uid_map`).close());
	using user = openat2(`${ownProc}/${home.pid}/ns/user`);
	using uts = openat2(`${ownProc}/${home.pid}/ns/uts`);
	await shell("hostname joined", { join: [user, uts] });
	expect(await shell("hostname; id -u", { join: [user, uts], killTree: true })).toBe("joined\n0");
	expect(await shell("hostname")).not.toBe("joined");
	using file = openat2("/etc/passwd");
	expect(await reason(() => spawn("true", [], { join: [file] }))).toMatchObject({
		code: "EINVAL",
		syscall: "setns",
		hint: expect.stringContaining("no namespace"),
	});
});

test.each<[string, SpawnOptions]>([
	["killTree", { killTree: true }],
	["init", { namespaces: ["user", "pid"], init: true }],
])("a pid namespace is not joined with %s, whose orphans are another init's", async (_, options) => {
	using user = openat2(`${ownProc}/self/ns/user`);
	using pid = openat2(`${ownProc}/self/ns/pid`);
	for (const join of [[pid], [user, pid]]) {
		const error = await reason(() => spawn("true", [], { ...options, join }));
		expect(error).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	}
});

needs("root").test("a pid namespace is for the program's children only", async () => {
	await using home = await Task.clone({ namespaces: ["pid"] });
	home.run(() => openat2(`${ownProc}/self/status`).close());
	using pid = openat2(`${ownProc}/${home.pid}/ns/pid`);
	const seen = await shell("echo $$; sh -c 'echo $$; :'", { join: [pid] });
	const [own, child] = seen.split("\n").map(Number);
	expect([own === 2, child]).toEqual([false, 2]);
});
