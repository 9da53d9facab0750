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
