// `npm run bench` and `npm run soak` set up, compile bench/ and run one of its programs.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { root, run } from "./run.mjs";
import { setup } from "./setup.mjs";

export function bench(program) {
	setup();
	run("tsc", ["-p", "bench/tsconfig.json"]);
	const args = ["--expose-gc", `bench/dist/${program}.js`, ...process.argv.slice(2)];
	const { status, signal } = spawnSync(process.execPath, args, {
		cwd: root,
		stdio: "inherit",
	});
	if (signal) process.kill(process.pid, signal);
	else process.exitCode = status;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bench("index");
