// Checks the limits that a review need not discuss: the sizes of addon and stub, and no foreign dependency at run time. The addon is
// the one of the developer. What is published has code for backtraces left out, and a limit of 1 MiB: `scripts/slice/gates.mjs`.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, stop } from "./run.mjs";

const native = join(root, "packages/core/native");
for (const file of readdirSync(native).filter((name) => !name.endsWith(".d.ts"))) {
	const limit = file.endsWith(".node") ? 1280 * 1024 : 16 * 1024;
	const { size } = statSync(join(native, file));
	console.log(`${file}: ${size} bytes of ${limit}`);
	if (size > limit) stop(`${file} is too large`);
}
const stub = join(root, "crates/stub/src");
const code = readdirSync(stub)
	.flatMap((file) => readFileSync(join(stub, file), "utf8").split("\n"))
	.filter((line) => !/^\s*(\/\/.*)?$/.test(line));
console.log(`crates/stub: ${code.length} lines of code of 499`);
if (code.length > 499) stop("the stub is too long");
for (const name of readdirSync(join(root, "packages"))) {
	const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
	const needed = {
		...manifest.dependencies,
		...manifest.optionalDependencies,
		...manifest.peerDependencies,
	};
	const foreign = Object.keys(needed).filter((dependency) => !dependency.startsWith("@nearfar/"));
	if (foreign.length > 0) stop(`packages/${name} needs ${foreign} at run time`);
}
