<?php
/**
 * The form of the settings.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Orders\ChosenStatuses;

/** Shows the fields of UpdateSiteSettings, the order statuses of this shop, and "match the last N days". */
final class SettingsFields {

	public function __construct( private readonly SiteSettings $settings, private readonly Backfill $backfill ) {}

	/**
	 * @param mixed $days    Days in the field for older orders.
	 * @param mixed $unsaved Unsaved input {settings, statuses}, or null.
	 */
	public function show( $days, $unsaved = null ): void {
		$settings = $this->settings->stored();
		if ( null === $settings ) {
			echo '<p class="submit">' . esc_html__( 'The settings of the service are not known here yet.', 'tillsync-bridge' ) . ' ';
			SettingsScreen::button( 'refresh', __( 'Fetch them', 'tillsync-bridge' ) );
			echo '</p>';
		} else {
			$typed    = is_array( $unsaved ) ? $this->settings->changed_fields( (array) $unsaved['settings'] ) : array();
			$statuses = is_array( $unsaved ) ? (array) $unsaved['statuses'] : ChosenStatuses::get();
			$this->fields( array_merge( $settings, $typed ), $statuses, array() !== $typed || ChosenStatuses::get() !== $statuses );
		}
		$this->older( max( 1, (int) $days ) );
	}

	/** @param array<string, bool|string> $settings Fields of SiteSettings. */
	private function trust( array $settings ): void {
		$meaning = __( 'An email is a claim until it is confirmed: by a mail from My Account, by a password set through a mailed link, or by you on the list of users. Other accounts still find their till customer with each order, but nothing is shown to the shopper.', 'tillsync-bridge' )
			. ' ' . __( 'Warning: with all accounts trusted, whoever registers with another person\'s email sees that person\'s points and gets that person\'s role.', 'tillsync-bridge' );
		self::choice( 'trustedAccounts', __( 'Points are shown to', 'tillsync-bridge' ), SettingsTexts::trusted_accounts( (string) $settings['trustedBeforeTime'] ), (string) $settings['trustedAccounts'], $meaning );
		echo '<tr><th scope="row"></th><td><p class="submit">';
		SettingsScreen::button( 'unconfirmed', __( 'List links without a confirmed email', 'tillsync-bridge' ) );
		echo '</p></td></tr>';
	}

	/**
	 * @param array<string, bool|string> $settings   Fields of SiteSettings.
	 * @param string[]                   $statuses   Statuses without "wc-".
	 * @param bool                       $is_unsaved Whether some of the values are not saved.
	 */
	private function fields( array $settings, array $statuses, bool $is_unsaved ): void {
		if ( $is_unsaved ) {
			echo '<div class="notice notice-warning inline" role="status"><p>' . esc_html__( 'The settings below are not saved yet. Press Save changes to keep them.', 'tillsync-bridge' ) . '</p></div>';
		}
		if ( $this->settings->has_trust_setting() && ! $this->settings->is_trust_decided() ) {
			echo '<div class="notice notice-warning inline tillsync-trust-question"><p>' . esc_html__( 'Please decide once, at "Points are shown to", and press Save changes: do you trust the accounts that exist today? Then choose "registered before". Otherwise their shoppers confirm their emails first.', 'tillsync-bridge' ) . '</p></div>';
		}
		echo '<input type="hidden" name="tillsync_settings[form]" value="1"><table class="form-table" role="presentation"><tbody>';
		self::boxes(
			__( 'Customer sync', 'tillsync-bridge' ),
			array(
				'customerSyncEnabled' => array( __( 'Sync customers with the till', 'tillsync-bridge' ), __( 'When off, every order goes to the default customer, and nothing is linked or refreshed.', 'tillsync-bridge' ) ),
				'autoLink'            => array( __( 'Link customers automatically', 'tillsync-bridge' ), __( 'When off, orders from customers who are not linked yet need your review.', 'tillsync-bridge' ) ),
			),
			$settings
		);
		printf(
			'<tr><th scope="row"><label for="tillsync-default">%s</label></th><td class="tillsync-default"><input type="text" inputmode="numeric" pattern="[0-9]{0,18}" class="regular-text" id="tillsync-default" name="tillsync_settings[defaultEposCustomerId]" value="%s" aria-describedby="tillsync-default-help"><p class="description" id="tillsync-default-help">%s</p></td></tr>',
			esc_html__( 'Default till customer', 'tillsync-bridge' ),
			esc_attr( '0' === $settings['defaultEposCustomerId'] ? '' : (string) $settings['defaultEposCustomerId'] ),
			esc_html__( 'Number of the till customer that orders of guests go to. Empty: such orders wait for you.', 'tillsync-bridge' )
		);
		self::choice( 'guestPolicy', __( 'Guest orders', 'tillsync-bridge' ), SettingsTexts::guest_policies(), (string) $settings['guestPolicy'], '' );
		self::choice( 'matchEmail', __( 'Shoppers are found by', 'tillsync-bridge' ), SettingsTexts::match_emails(), (string) $settings['matchEmail'], __( 'A billing email is unverified: it finds the customer of that order, but links only when it equals the account\'s email.', 'tillsync-bridge' ) );
		if ( $this->settings->has_trust_setting() ) {
			$this->trust( $settings );
		}
		self::boxes(
			__( 'From the till to the shop', 'tillsync-bridge' ),
			array(
				'syncNames' => array( __( 'First and last name', 'tillsync-bridge' ), __( 'The till\'s names replace those of the shopper\'s account.', 'tillsync-bridge' ) ),
				'syncPhone' => array( __( 'Phone', 'tillsync-bridge' ), '' ),
			),
			$settings
		);
		$boxes = '';
		foreach ( ChosenStatuses::available() as $status => $name ) {
			$boxes .= sprintf( '<label><input type="checkbox" name="tillsync_statuses[]" value="%s" %s> %s</label><br>', esc_attr( $status ), checked( in_array( $status, $statuses, true ), true, false ), esc_html( $name ) );
		}
		printf( '<tr><th scope="row">%s</th><td><fieldset><legend class="screen-reader-text">%s</legend>%s</fieldset></td></tr>', esc_html__( 'Orders are sent when they are', 'tillsync-bridge' ), esc_html__( 'Orders are sent when they are', 'tillsync-bridge' ), $boxes ); // phpcs:ignore WordPress.Security.EscapeOutput -- escaped above.
		echo '</tbody></table><p class="tillsync-buttons submit">';
		printf( '<button type="submit" name="save" value="1" class="button button-primary woocommerce-save-button">%s</button> ', esc_html__( 'Save changes', 'tillsync-bridge' ) );
		SettingsScreen::button( 'preview', __( 'Preview changes', 'tillsync-bridge' ), 'tillsync-preview' );
		echo ' ';
		SettingsScreen::button( 'refresh', __( 'Reload settings', 'tillsync-bridge' ) );
		// The effect is below the buttons and has reserved height, so that its text moves no button.
		echo '</p><p class="tillsync-effect" role="status"></p>';
	}

	private function older( int $days ): void {
		$added = $this->backfill->added_count();
		echo '<h3>' . esc_html__( 'Import past orders', 'tillsync-bridge' ) . '</h3>';
		if ( null !== $added ) {
			/* translators: %d: number of orders */
			echo '<p role="status">' . esc_html( sprintf( _n( 'In the background: %d order queued so far.', 'In the background: %d orders queued so far.', $added, 'tillsync-bridge' ), $added ) ) . '</p>';
			return;
		}
		echo '<p>' . esc_html__( 'Orders from before the shop was connected are never sent by themselves.', 'tillsync-bridge' ) . '</p>';
		printf(
			'<p><label for="tillsync-days">%s</label> <input type="number" id="tillsync-days" name="tillsync_days" min="1" max="%d" value="%d" class="small-text"></p><p class="tillsync-buttons submit">',
			esc_html__( 'Match orders from the last days:', 'tillsync-bridge' ),
			absint( Backfill::LONGEST_DAYS ),
			absint( $days )
		);
		SettingsScreen::button( 'backfill_preview', __( 'Count orders', 'tillsync-bridge' ) );
		echo ' ';
		SettingsScreen::button( 'backfill', __( 'Start import', 'tillsync-bridge' ) );
		echo '</p>';
	}

	/**
	 * @param array<string, array{0: string, 1: string}> $boxes    Label and meaning by field.
	 * @param array<string, bool|string>                 $settings Fields of SiteSettings.
	 */
	private static function boxes( string $title, array $boxes, array $settings ): void {
		printf( '<tr><th scope="row">%s</th><td><fieldset><legend class="screen-reader-text">%s</legend>', esc_html( $title ), esc_html( $title ) );
		foreach ( $boxes as $name => list( $label, $meaning ) ) {
			printf( '<label><input type="checkbox" name="tillsync_settings[%s]" value="1" %s> %s</label>', esc_attr( $name ), checked( true, $settings[ $name ], false ), esc_html( $label ) );
			echo '' === $meaning ? '<br>' : '<p class="description">' . esc_html( $meaning ) . '</p>';
		}
		echo '</fieldset></td></tr>';
	}

	/** @param array<string, string> $options Labels by value. */
	private static function choice( string $name, string $label, array $options, string $chosen, string $meaning ): void {
		printf( '<tr><th scope="row"><label for="tillsync-%s">%s</label></th><td><select id="tillsync-%s" name="tillsync_settings[%s]">', esc_attr( $name ), esc_html( $label ), esc_attr( $name ), esc_attr( $name ) );
		foreach ( $options as $value => $words ) {
			printf( '<option value="%s" %s>%s</option>', esc_attr( $value ), selected( $value, $chosen, false ), esc_html( $words ) );
		}
		echo '</select>' . ( '' === $meaning ? '' : '<p class="description">' . esc_html( $meaning ) . '</p>' ) . '</td></tr>';
	}
}
