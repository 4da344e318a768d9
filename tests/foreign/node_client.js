// What the test asks of Google's client for Node; the endpoint is the first argument, results are JSON on standard output.
'use strict';
const crypto = require('crypto');
const {IdempotencyStrategy, Storage} = require('@google-cloud/storage');

const [endpoint, bucketName] = process.argv.slice(2);
// Without it the client repeats nothing any more after the first upload that has no precondition.
const retryOptions = {idempotencyStrategy: IdempotencyStrategy.RetryAlways};
const bucket = new Storage({apiEndpoint: endpoint, projectId: 'any', retryOptions}).bucket(bucketName);
const large = crypto.randomBytes(3 * 1024 * 1024 + 7);
const sha256 = content => crypto.createHash('sha256').update(content).digest('hex');
const contentOf = async (name, options) => (await bucket.file(name).download(options))[0];
const codeOf = promise => promise.then(() => null, error => error.code);

async function main() {
  await bucket.file('large').save(large, {resumable: true, chunkSize: 1024 * 1024});
  await bucket.file('whole').save(large, {resumable: true});
  for (const name of ['a/1', 'a/2', 'a/3 ü', 'b']) {
    await bucket.file(name).save(name, {resumable: false, metadata: {metadata: {crew: '7'}}});
  }
  const [page, next] = await bucket.getFiles({prefix: 'a/', maxResults: 2, autoPaginate: false});
  const [rest] = await bucket.getFiles({...next, autoPaginate: false});
  const [described] = await bucket.file('b').getMetadata();
  const refused = await codeOf(bucket.file('b').save('again', {preconditionOpts: {ifGenerationMatch: 0}}));
  await bucket.file('b').save('again', {preconditionOpts: {ifGenerationMatch: described.generation}});
  await bucket.file('b').copy('copied');
  await bucket.file('copied').move('moved');
  await bucket.file('b').delete();
  return {
    sha256: sha256(large),
    read: [sha256(await contentOf('large')), sha256(await contentOf('whole'))],
    part: (await contentOf('large', {start: 100, end: 199})).equals(large.subarray(100, 200)),
    pages: [page, rest].map(files => files.map(file => file.name)),
    metadata: described.metadata,
    refused,
    moved: String(await contentOf('moved')),
    gone: await codeOf(contentOf('b')),
  };
}

main().then(told => console.log(JSON.stringify(told)), error => {
  console.error(error);
  process.exitCode = 1;
});
