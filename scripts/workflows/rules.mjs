// The rules of .github/workflows. actionlint checks that GitHub understands a workflow, and zizmor looks for known weaknesses.
// These rules are stricter: they hold for each job and each step, also where a tool would see no danger.

/** An action of another repository, by the digest of a commit, with its version in a comment. */
const pinned = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;

/** Returns what is wrong with a workflow, one sentence for each fault. The text is indented by two spaces, as ours are. */
export function workflowFaults(text) {
	const faults = [];
	const lines = text.split("\n");
	if (!lines.includes("permissions: {}")) faults.push("the workflow does not begin with `permissions: {}`");
	for (const event of ["pull_request_target", "workflow_run"]) {
		if (new RegExp(`\\b${event}\\b`).test(text)) faults.push(`${event} runs foreign code with the rights of main`);
	}
	for (const [job, body] of blocks(lines.slice(lines.indexOf("jobs:") + 1), "  ")) {
		for (const key of ["permissions", "timeout-minutes"]) {
			if (!body.some((line) => line.startsWith(`    ${key}:`))) faults.push(`the job ${job} has no ${key}`);
		}
		for (const step of steps(body)) faults.push(...stepFaults(step).map((fault) => `the job ${job}: ${fault}`));
	}
	return faults;
}

function stepFaults(step) {
	const faults = [];
	const uses = step.map((line) => line.match(/^ {6}[ -] uses: (.*)$/)?.[1]).find(Boolean);
	if (uses && !pinned.test(uses)) faults.push(`${uses} is not pinned by a digest with its version in a comment`);
	const demands = {
		"actions/checkout": "persist-credentials: false",
		"actions/setup-node": "package-manager-cache: false",
	};
	for (const [action, setting] of Object.entries(demands)) {
		if (uses?.startsWith(`${action}@`) && !step.includes(`          ${setting}`))
			faults.push(`${action} has no \`${setting}\``);
	}
	if (uses?.startsWith("actions/cache")) faults.push("no job restores a cache");
	let inRun = false;
	for (const line of step) {
		if (/^ {6}[ -] \S/.test(line)) inRun = /^ {6}[ -] run:/.test(line);
		if (inRun && line.includes("${{"))
			faults.push(`a script has an expression, which the shell would run: ${line.trim()}`);
	}
	return faults;
}

/** Returns the blocks of lines that begin with a key at an indentation: pairs of the key and the lines below. */
function blocks(lines, indentation) {
	const found = [];
	for (const line of lines) {
		const key = line.match(new RegExp(`^${indentation}([\\w-]+):$`))?.[1];
		if (key) found.push([key, []]);
		else found.at(-1)?.[1].push(line);
	}
	return found;
}

/** Returns the lines of each step of a job. */
function steps(body) {
	const found = [];
	for (const line of body.slice(body.indexOf("    steps:") + 1)) {
		if (line.startsWith("      - ")) found.push([]);
		found.at(-1)?.push(line);
	}
	return found;
}
