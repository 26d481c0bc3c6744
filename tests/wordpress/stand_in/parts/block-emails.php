<?php
/** The list of emails of the block email editor. */

namespace Automattic\WooCommerce\Internal\EmailEditor\WCTransactionalEmails;

class WCTransactionalEmails {
	public static $core_transactional_emails = array( 'cancelled_order', 'customer_completed_order', 'customer_invoice', 'customer_new_account', 'customer_note', 'customer_on_hold_order', 'customer_processing_order', 'customer_refunded_order', 'customer_reset_password', 'failed_order', 'new_order' );

	/** A class that is registered with WC()->mailer() only is not listed. */
	public static function get_transactional_emails() {
		return apply_filters( 'woocommerce_transactional_emails_for_block_editor', self::$core_transactional_emails );
	}
}
