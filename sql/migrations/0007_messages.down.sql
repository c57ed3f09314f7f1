DROP TABLE IF EXISTS marketing.messages_outbound;
