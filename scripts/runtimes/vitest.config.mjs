// The configuration of vitest for the smoke. The cache is a folder that each user may write.
export default {
	cacheDir: `${process.env.HOME}/vitest`,
	test: { include: ["smoke/smoke.spec.mjs"], globals: true },
};
