"use strict";

const targets = { docs: "https://example.com/docs" };

module.exports.go = async (event) => {
  const target = targets[event.pathParameters.code];
  return target ? { statusCode: 302, headers: { Location: target } } : { statusCode: 404, body: process.env.TABLE };
};

module.exports.uploaded = async (event) => ({ seen: event.Records ? event.Records.length : 0, table: process.env.TABLE });
