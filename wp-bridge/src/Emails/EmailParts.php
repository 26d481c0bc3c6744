<?php
/**
 * Hangs our mails into WooCommerce.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Emails;


/**
 * Only through WooCommerce's two filters: WC_Email is loaded by WC()->mailer(), so a class that extends it must not be loaded before, and
 * the block email editor lists only what is registered with it.
 */
final class EmailParts {

	/**
	 * @param mixed $emails As known so far.
	 * @return mixed
	 */
	public function with_classes( $emails = array() ) {
		return is_array( $emails ) ? $emails + array( AttentionEmail::CLASS_KEY => new AttentionEmail(), ConfirmationEmail::CLASS_KEY => new ConfirmationEmail() ) : $emails;
	}

	/**
	 * @param mixed $ids Of the mails that the block editor lists.
	 * @return mixed
	 */
	public function with_ids( $ids = array() ) {
		return is_array( $ids ) ? array_values( array_unique( array_merge( $ids, array( Digest::EMAIL_ID, ConfirmationEmail::EMAIL_ID ) ) ) ) : $ids;
	}

	/** Where our templates are. */
	public static function templates(): string {
		return plugin_dir_path( \Tillsync\Bridge\PLUGIN_FILE ) . 'templates/';
	}

	/**
	 * @param mixed $file Where WooCommerce would look.
	 * @param mixed $name Of the template.
	 * @return mixed
	 */
	public function located( $file = '', $name = '' ) {
		$ours = is_string( $name ) && preg_match( '#^emails/(plain/|block/)?tillsync-(attention|confirmation)(-content)?\.php$#D', $name );
		return $ours && is_string( $file ) && ! file_exists( $file ) ? self::templates() . $name : $file;
	}
}
