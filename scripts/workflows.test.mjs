import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { platforms } from "./platforms.mjs";
import { root } from "./run.mjs";
import { workflowFaults } from "./workflows/rules.mjs";

const folder = join(root, ".github/workflows");
const workflows = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), "utf8")]);
const release = readFileSync(join(folder, "release.yml"), "utf8");

test.each(workflows)("%s keeps the rules of workflows", (_file, text) => {
	expect(workflowFaults(text)).toEqual([]);
});

const changes = [
	["an action by its tag", /@[0-9a-f]{40} # v7/, "@v7 # v7"],
	["an action by a shorter digest", /@([0-9a-f]{39})[0-9a-f] /, "@$1 "],
	["an action without its version", /@([0-9a-f]{40}) # .*/, "@$1"],
	["a job without permissions", /^ {4}permissions:\n {6}contents: read\n/m, ""],
	["a job without a limit of time", /^ {4}timeout-minutes: .*\n/m, ""],
	["permissions for the whole workflow", /^permissions: \{\}$/m, "permissions: write-all"],
	["an event that trusts foreign code", "workflow_dispatch", "pull_request_target"],
	["credentials in the clone", "persist-credentials: false", "persist-credentials: true"],
	["a cache of packages", "package-manager-cache: false", "package-manager-cache: true"],
	["an expression in a script", '"$PLATFORM"', "$" + "{{ github.event.inputs.platform }}"],
	["an expression in a script of several lines", "rustup default 1.95.0", "rustup default $" + "{{ inputs.rust }}"],
];

test.each(changes)("the rules refuse %s", (_name, old, replacement) => {
	const changed = release.replace(old, replacement);
	expect(changed).not.toBe(release);
	expect(workflowFaults(changed).length).toBe(1);
});

test("release.yml builds each platform", () => {
	expect(release).toContain(`platform: [${platforms.map(({ name }) => name).join(", ")}]\n`);
});

test("only the job that publishes may ask for an id token, and only the job that tags may write", () => {
	expect(release.match(/id-token: write/g).length).toBe(1);
	expect(release.match(/contents: write/g).length).toBe(1);
	const jobs = release.split(/^ {2}(?=[\w-]+:$)/m);
	const publishing = jobs.find((job) => job.includes("id-token: write"));
	expect(publishing).toContain("environment: npm\n");
	// Code of a dependency would have the id token too.
	expect(publishing).not.toMatch(/setup\b(?!-node)|npm (run|ci|install)|cargo|rustup/);
	expect(jobs.find((job) => job.includes("contents: write"))).toMatch(/^tag:/);
});
