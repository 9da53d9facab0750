// `npm run soak` looks for leaks: bench/soak.ts runs tasks and programs, and then, for as long again, the test of
// crates/linux runs far ends that reply with anything.
import { spawnSync } from "node:child_process";
import { bench } from "./bench.mjs";
import { root } from "./run.mjs";

const start = Date.now();
bench("soak");
if (!process.exitCode) {
	const seconds = Math.ceil((Date.now() - start) / 1000);
	console.log(`hostile far ends: ${seconds} s`);
	const { status } = spawnSync("cargo", ["test", "--package", "nearfar-linux", "--test", "kernel", "hostile_fuzz"], {
		cwd: root,
		env: { ...process.env, NEARFAR_FUZZ_SECONDS: String(seconds) },
		stdio: "inherit",
	});
	process.exitCode = status ?? 1;
}
