exports.handler = async (event) => ({ bucket: process.env.BUCKET, key: `${event.name}.json` });
