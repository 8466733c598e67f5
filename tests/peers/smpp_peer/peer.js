// An SMSC made of the npm package `smpp`, whose codec is not ours. Prints {"port": N} when it listens, then a line of
// JSON for each message it took, put together from its parts. Misbehaves as its one argument, a JSON object, says:
//   throttleEvery N      every N-th submit is answered with ESME_RTHROTTLED
//   silentEvery N        every N-th submit is neither taken nor answered
//   loseAnswerEvery N    every N-th is taken but not answered
//   answerAfterMs N      answers come late
//   receiptAfterMs N     receipts come late
//   duplicateReceipts    receipts come twice
//   textOnly             receipts have no TLVs
//   hexIds               answers name in hexadecimal what receipts name in decimal
'use strict';
const smpp = require('smpp');

const wrong = JSON.parse(process.argv[2] || '{}');
const partsByMessage = new Map();
let asked = 0;
let ids = 1000000;

const every = (count, number) => Boolean(count) && number % count === 0;

function tell(fact) {
  process.stdout.write(JSON.stringify(fact) + '\n');
}

// The package splits the user data header from the text; each of its elements is an information element as octets.
function keep(pdu) {
  const { message, udh } = pdu.short_message;
  const concatenation = (udh || []).map((element) => Buffer.from(element)).find((element) => element[0] === 0);
  let text = message;
  if (concatenation) {
    const [, , reference, total, number] = concatenation;
    const name = `${pdu.destination_addr}/${reference}`;
    const parts = partsByMessage.get(name) || new Map();
    partsByMessage.set(name, parts.set(number, message));
    if (parts.size < total) return;
    partsByMessage.delete(name);
    text = [...parts.keys()].sort((a, b) => a - b).map((key) => parts.get(key)).join('');
  }
  tell({
    to: pdu.destination_addr,
    ton: pdu.dest_addr_ton,
    npi: pdu.dest_addr_npi,
    from: pdu.source_addr,
    coding: pdu.data_coding,
    validity: String(pdu.validity_period && pdu.validity_period.toISOString ? pdu.validity_period.toISOString() : pdu.validity_period),
    text,
  });
}

function receipt(pdu, id) {
  const words = `id:${id} sub:001 dlvrd:001 submit date:2611281000 done date:2611281001 stat:DELIVRD err:000 text:`;
  const fields = {
    source_addr: pdu.destination_addr,
    source_addr_ton: 1,
    source_addr_npi: 1,
    destination_addr: pdu.source_addr,
    esm_class: 4,
    short_message: words,
  };
  return wrong.textOnly ? fields : { ...fields, receipted_message_id: String(id), message_state: 2 };
}

const server = smpp.createServer({}, (session) => {
  session.on('error', () => {});
  const bind = (pdu) => session.send(pdu.response({ system_id: 'npm' }));
  for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) session.on(kind, bind);
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  session.on('deliver_sm_resp', (pdu) => tell({ confirmed: pdu.command_status }));
  session.on('submit_sm', (pdu) => {
    asked += 1;
    if (every(wrong.throttleEvery, asked)) {
      session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      return;
    }
    if (every(wrong.silentEvery, asked)) return;
    ids += 1;
    const id = ids;
    keep(pdu);
    if (!every(wrong.loseAnswerEvery, asked)) {
      const named = wrong.hexIds ? id.toString(16).padStart(8, '0') : String(id);
      setTimeout(() => session.send(pdu.response({ message_id: named })), wrong.answerAfterMs || 0);
    }
    if (pdu.registered_delivery & 1) {
      setTimeout(() => {
        for (let n = wrong.duplicateReceipts ? 2 : 1; n > 0; n -= 1) session.deliver_sm(receipt(pdu, id));
      }, wrong.receiptAfterMs || 0);
    }
  });
});

server.listen(0, '127.0.0.1', () => tell({ port: server.address().port }));
