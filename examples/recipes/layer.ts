// One step of the build of an image: a script turns a source tree into the files of a layer.
import { run } from "@nearfar/sandbox";

/** Runs a script in a source tree. It installs into `$DESTDIR`, which is the folder of the layer, and writes nothing else. */
export async function buildLayer(source: string, layer: string, script: string): Promise<void> {
	const result = await run("sh", ["-ec", script], {
		preset: "closed", // compilers of /usr, and nothing of /etc, the home directory or the network
		scratch: [source], // object files may lie beside the sources, and are gone afterwards
		write: [layer],
		cwd: source,
		env: { DESTDIR: layer, LANG: "C", TZ: "UTC", SOURCE_DATE_EPOCH: "0" },
		name: "build", // some programs write the name of the host into what they build
		limits: { time: 3_600_000, processes: 4000 },
	});
	result.check(); // throws with the end of the standard error, unless the script exited with 0
}
