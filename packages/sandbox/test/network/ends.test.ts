import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { mark, marked } from "../../../../test/marked.ts";
import { needs } from "../../../../test/needs.ts";

// Nothing stays of a network: no socket, no descriptor, no process, and nothing that keeps Node alive. Each fixture ends by itself.

const { test } = needs("the program python3", "/proc");

test.each([
	["silent", {}],
	["half", {}],
	["download", {}],
	["killed", { reason: "killed" }],
	["process 2", {}],
	["connected", { port: true }],
	["thousand", { code: 0, kinds: ["limit 512 connections to the proxy"] }],
	["nobody disposes", { code: 0 }],
] as const)("guarantee 9: the end of a sandbox meets clients of its network: %s", async (scenario, report) => {
	const env = mark();
	const end = await runFixture("sandbox/network-ends", { args: [scenario], env });
	expect(end).toMatchObject({ code: 0, signal: null, stderr: "", report });
	if (scenario !== "nobody disposes") expect(end.report.left).toEqual([-1, 0]); // the server of the host is closed
	expect(marked(env)).toEqual([]);
});
