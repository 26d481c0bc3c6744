<?php
/**
 * The attention mail.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Emails;

use Tillsync\Bridge\Health\Alert;
use WC_Email;

/**
 * The mail "Orders and settings that need your review". The merchant edits or disables it in WooCommerce → Settings → Emails, and a theme can override its
 * templates. It names causes, orders and shoppers, as WooCommerce's mails to the shop do, and no email address.
 */
final class AttentionEmail extends WC_Email {

	/** Key of the mail in WooCommerce's list of emails. */
	public const CLASS_KEY = 'Tillsync_Attention_Email';

	/** @var Alert[] */
	private array $causes = array();

	public function __construct() {
		$this->id             = Digest::EMAIL_ID;
		$this->title          = __( 'Till sync: review needed', 'tillsync-bridge' );
		$this->description    = __( 'Sent to the shop when orders wait for a decision, or when the connection to the till needs attention. Each cause is reported once, at most one mail an hour.', 'tillsync-bridge' );
		$this->template_base  = EmailParts::templates();
		$this->template_html  = 'emails/tillsync-attention.php';
		$this->template_plain = 'emails/plain/tillsync-attention.php';
		if ( property_exists( WC_Email::class, 'template_block' ) ) {
			$this->template_block = 'emails/block/tillsync-attention.php';
		}
		if ( property_exists( WC_Email::class, 'email_group' ) ) {
			$this->email_group = 'orders';
		}
		$this->placeholders = array( '{count}' => '', '{summary}' => '' );
		parent::__construct();
		$this->recipient = (string) $this->get_option( 'recipient', (string) get_option( 'admin_email' ) );
	}

	public function get_default_subject() {
		return '[{site_title}] {summary}';
	}

	public function get_default_heading() {
		return __( 'Orders and settings that need your review', 'tillsync-bridge' );
	}

	/**
	 * Sends the mail.
	 *
	 * @param Alert[] $causes The new alerts.
	 */
	public function trigger( array $causes ): bool {
		$this->setup_locale();
		try {
			$this->causes                  = array_values( $causes );
			$this->placeholders['{count}'] = number_format_i18n( count( $causes ) );
			$this->placeholders['{summary}'] = self::summary( $causes );
			if ( array() === $causes || ! $this->is_enabled() || '' === $this->get_recipient() ) {
				return false;
			}
			return (bool) $this->send( $this->get_recipient(), $this->get_subject(), $this->get_content(), $this->get_headers(), $this->get_attachments() );
		} finally {
			$this->restore_locale();
		}
	}

	/**
	 * Returns the subject's line: how many orders need review, or that the connection does.
	 *
	 * @param Alert[] $causes The new alerts.
	 */
	private static function summary( array $causes ): string {
		$of_persons = array_filter( $causes, static fn( Alert $alert ) => $alert->is_of_person() );
		$orders     = array_sum( array_map( static fn( Alert $alert ) => max( 1, count( $alert->order_ids ) ), $of_persons ) );
		if ( count( $of_persons ) < count( $causes ) ) {
			return __( 'Till sync needs your attention', 'tillsync-bridge' );
		}
		/* translators: %s: number of orders */
		return sprintf( _n( '%s order needs review – till customer not clear', '%s orders need review – till customer not clear', $orders, 'tillsync-bridge' ), number_format_i18n( $orders ) );
	}

	public function get_content_html() {
		return wc_get_template_html( $this->template_html, $this->arguments( false ), '', $this->template_base );
	}

	public function get_content_plain() {
		return wc_get_template_html( $this->template_plain, $this->arguments( true ), '', $this->template_base );
	}

	/** Returns the content for the block editor's template. */
	public function get_block_editor_email_template_content() {
		return wc_get_template_html( 'emails/block/tillsync-attention-content.php', $this->arguments( false ), '', $this->template_base );
	}

	public function init_form_fields() {
		parent::init_form_fields();
		$recipient = array(
			'recipient' => array(
				'title'       => __( 'Recipient(s)', 'tillsync-bridge' ),
				'type'        => 'text',
				/* translators: %s: email address */
				'description' => sprintf( __( 'Separated by commas. Default: %s.', 'tillsync-bridge' ), (string) get_option( 'admin_email' ) ),
				'placeholder' => '',
				'default'     => (string) get_option( 'admin_email' ),
				'desc_tip'    => true,
			),
		);
		$enabled           = array_intersect_key( $this->form_fields, array( 'enabled' => true ) );
		$this->form_fields = $enabled + $recipient + $this->form_fields;
	}

	/** @return array<string, mixed> Variables of the templates. */
	private function arguments( bool $plain ): array {
		return array(
			'causes'             => $this->causes,
			'email_heading'      => $this->get_heading(),
			'additional_content' => $this->get_additional_content(),
			'sent_to_admin'      => true,
			'plain_text'         => $plain,
			'email'              => $this,
		);
	}
}
