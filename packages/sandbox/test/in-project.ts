import { spawn } from "node:child_process";
import { fixturePath } from "../../../test/fixture.ts";
import type { Plan, SandboxOptions, Violation } from "../src/index.ts";

/** What a shell in a project has come to. */
export interface Report {
	readonly plan: Plan;
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
	readonly violations: readonly Violation[];
}

/** The options of a sandbox, and the environment of the Node that opens it. */
export type ProjectOptions = SandboxOptions & { readonly outside?: Readonly<Record<string, string>> };

/** Runs a shell in the sandbox of the preset "project", whose project is a folder. */
export async function inProject(
	cwd: string,
	script: string,
	{ outside, ...options }: ProjectOptions = {},
): Promise<Report> {
	const child = spawn(process.execPath, [fixturePath("sandbox/project"), script, JSON.stringify(options)], {
		cwd,
		env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", ...outside },
		stdio: ["ignore", "inherit", "inherit", "pipe"],
	});
	let report = "";
	for await (const chunk of child.stdio[3] as AsyncIterable<Buffer>) report += chunk;
	return JSON.parse(report);
}

/** Returns what a shell in a project has written. Throws unless the shell ends with 0. */
export async function outputOf(cwd: string, script: string, options: ProjectOptions = {}): Promise<string> {
	const { code, stdout, stderr } = await inProject(cwd, `set -e; ${script}`, options);
	if (code !== 0) throw new Error(`exited with ${code}: ${script}\n${stdout}\n${stderr}`);
	return stdout.trim();
}
