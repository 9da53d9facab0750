import { readdirSync } from "node:fs";
import { namespaceFlags } from "@nearfar/core/internal";
import { namespaceKinds } from "@nearfar/namespaces";
import { expect, test } from "vitest";

test("namespaceKinds names what /proc has", () => {
	const names = readdirSync("/proc/self/ns");
	const told = Object.values(namespaceKinds).flatMap(({ proc, forChildren }) =>
		forChildren ? [proc, forChildren] : proc,
	);
	expect(told.sort()).toEqual(expect.arrayContaining(names));
});

test("namespaceKinds has the flags of clone", () => {
	const flags = Object.entries(namespaceKinds).map(([kind, { flag }]) => [kind, flag]);
	expect(Object.fromEntries(flags)).toEqual(namespaceFlags);
});

test("namespaceKinds says which kinds a thread may have for itself", () => {
	const threads = Object.entries(namespaceKinds).filter(([, { thread }]) => thread);
	expect(threads.map(([kind]) => kind)).toEqual(["cgroup", "ipc", "mnt", "net", "uts"]);
});
