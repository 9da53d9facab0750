// The program that examples/bundlers.test.ts bundles, as docs/bundling.md says.
import { run } from "@nearfar/process";

run("echo", ["bundled"]).then(({ stdout }) => process.stdout.write(stdout));
