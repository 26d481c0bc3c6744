<?php
/**
 * The confirmation mail.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Emails;

use WC_Email;
use WP_User;

/** The mail "Confirm your email". The shopper requests it on My Account, and it goes to the shopper's own address. */
final class ConfirmationEmail extends WC_Email {

	/** Key of the mail in WooCommerce's list of emails. */
	public const CLASS_KEY = 'Tillsync_Confirmation_Email';

	public const EMAIL_ID = EmailParts::CONFIRMATION;

	/** Address of the link; empty in the editor's preview. */
	private string $url = '';

	public function __construct() {
		$this->id             = self::EMAIL_ID;
		$this->customer_email = true;
		$this->title          = __( 'Till sync: confirm your email', 'tillsync-bridge' );
		$this->description    = __( 'Sent to a shopper who asks for it on My Account. Whoever follows its link, logged in, is shown the points of the till customer with that email.', 'tillsync-bridge' );
		$this->template_base  = EmailParts::templates();
		$this->template_html  = 'emails/tillsync-confirmation.php';
		$this->template_plain = 'emails/plain/tillsync-confirmation.php';
		if ( property_exists( WC_Email::class, 'template_block' ) ) {
			$this->template_block = 'emails/block/tillsync-confirmation.php';
		}
		if ( property_exists( WC_Email::class, 'email_group' ) ) {
			$this->email_group = 'accounts';
		}
		parent::__construct();
	}

	public function get_default_subject() {
		return __( '[{site_title}] Confirm your email', 'tillsync-bridge' );
	}

	public function get_default_heading() {
		return __( 'Confirm your email', 'tillsync-bridge' );
	}

	/** Sends the mail to the user's present address. */
	public function trigger( WP_User $user, string $url ): bool {
		$this->setup_locale();
		try {
			$this->object    = $user;
			$this->url       = $url;
			$this->recipient = (string) $user->user_email;
			if ( ! $this->is_enabled() || '' === $this->get_recipient() ) {
				return false;
			}
			return (bool) $this->send( $this->get_recipient(), $this->get_subject(), $this->get_content(), $this->get_headers(), $this->get_attachments() );
		} finally {
			$this->restore_locale();
		}
	}

	public function get_content_html() {
		return wc_get_template_html( $this->template_html, $this->arguments( false ), '', $this->template_base );
	}

	public function get_content_plain() {
		return wc_get_template_html( $this->template_plain, $this->arguments( true ), '', $this->template_base );
	}

	/** Returns the content for the block editor's template. */
	public function get_block_editor_email_template_content() {
		return wc_get_template_html( 'emails/block/tillsync-confirmation-content.php', $this->arguments( false ), '', $this->template_base );
	}

	/** @return array<string, mixed> Variables of the templates. */
	private function arguments( bool $plain ): array {
		return array(
			'url'                => $this->url,
			'email_heading'      => $this->get_heading(),
			'additional_content' => $this->get_additional_content(),
			'sent_to_admin'      => false,
			'plain_text'         => $plain,
			'email'              => $this,
		);
	}
}
