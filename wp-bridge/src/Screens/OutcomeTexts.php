<?php
/**
 * Meaning and remedy of each outcome.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Explains an outcome by its stable code, translated. The comment itself is never translated. An unknown code is explained in the service's
 * own words (CatalogService.ListMessages), which are stored for a day.
 */
class OutcomeTexts {

	private const CATALOGUE = 'tillsync_bridge_catalogue';

	public function __construct( private readonly ServiceClient $service_client ) {}

	/**
	 * Explains an outcome, and calls the service for an unknown code. Only the queues page uses it, which calls the service anyway.
	 *
	 * @return array{meaning: string, what_to_do: string, translated: bool}
	 */
	public function explain( string $code ): array {
		$words = self::of( $code );
		if ( '' !== $words['meaning'] || '' === $code || 'OUTCOME_UNSPECIFIED' === $code ) {
			return $words + array( 'translated' => true );
		}
		return ( $this->catalogue()[ $code ] ?? $words ) + array( 'translated' => false );
	}

	/** @return array{meaning: string, what_to_do: string} Empty texts for an unknown code. */
	public static function of( string $code ): array {
		$texts = self::all()[ $code ] ?? array( '', '' );
		return array( 'meaning' => $texts[0], 'what_to_do' => $texts[1] );
	}

	/** @return array<string, string> Short names for the filter, by code. */
	public static function names(): array {
		return array(
			'OUTCOME_DUPLICATE_EMAIL'                  => __( 'Several till customers with one email', 'tillsync-bridge' ),
			'OUTCOME_CUSTOMER_NOT_MATCHED'             => __( 'Customer not matched', 'tillsync-bridge' ),
			'OUTCOME_PRODUCT_AND_CUSTOMER_NOT_MATCHED' => __( 'Products and customer not matched', 'tillsync-bridge' ),
			'OUTCOME_PRODUCT_NOT_MATCHED'              => __( 'Products not matched', 'tillsync-bridge' ),
			'OUTCOME_EPOS_FETCH_FAILED'                => __( 'Till customer could not be read', 'tillsync-bridge' ),
			'OUTCOME_WOO_NOT_UPDATED'                  => __( 'Shop customer not updated', 'tillsync-bridge' ),
			'OUTCOME_TYPE_REQUEST_FAILED'              => __( 'Customer type failed', 'tillsync-bridge' ),
			'OUTCOME_SYNC_DISABLED'                    => __( 'Customer sync is off', 'tillsync-bridge' ),
			'OUTCOME_CUSTOMER_NOT_LINKED'              => __( 'Customer not linked', 'tillsync-bridge' ),
			'OUTCOME_UPDATED'                          => __( 'Updated', 'tillsync-bridge' ),
			'OUTCOME_MATCHED_LINK'                     => __( 'Linked customer', 'tillsync-bridge' ),
			'OUTCOME_MATCHED_EMAIL'                    => __( 'Matched by email', 'tillsync-bridge' ),
			'OUTCOME_CUSTOMER_CREATED'                 => __( 'Customer created', 'tillsync-bridge' ),
			'OUTCOME_DEFAULT_CUSTOMER'                 => __( 'Default customer', 'tillsync-bridge' ),
		);
	}

	/** @return string[] Codes of the entries of this queue. */
	public static function of_queue( string $queue ): array {
		$customers = array( 'OUTCOME_EPOS_FETCH_FAILED', 'OUTCOME_WOO_NOT_UPDATED', 'OUTCOME_TYPE_REQUEST_FAILED', 'OUTCOME_SYNC_DISABLED', 'OUTCOME_CUSTOMER_NOT_LINKED', 'OUTCOME_UPDATED' );
		return 'customers' === $queue ? $customers : array_values( array_diff( array_keys( self::names() ), $customers ) );
	}

	/** @return array<string, array{0: string, 1: string}> Meaning and remedy by code. */
	private static function all(): array {
		$nothing = __( 'No action needed.', 'tillsync-bridge' );
		return array(
			'OUTCOME_UPDATED'                          => array( __( 'The customer or customer type was updated.', 'tillsync-bridge' ), $nothing ),
			'OUTCOME_SYNC_DISABLED'                    => array( __( 'Customer sync is switched off for this shop, so the update was not processed.', 'tillsync-bridge' ), __( 'Switch customer sync on in the settings if updates are to travel.', 'tillsync-bridge' ) ),
			'OUTCOME_CUSTOMER_NOT_LINKED'              => array( __( 'The till customer is not linked to a customer of this shop.', 'tillsync-bridge' ), __( 'Link the two customers if you expect points and credit in the shop.', 'tillsync-bridge' ) ),
			'OUTCOME_EPOS_FETCH_FAILED'                => array( __( 'The customer\'s details could not be read from the till.', 'tillsync-bridge' ), __( 'It is tried again by itself. When it has failed for good, read the first note and retry.', 'tillsync-bridge' ) ),
			'OUTCOME_WOO_NOT_UPDATED'                  => array( __( 'The shop did not take the update, or could not be reached.', 'tillsync-bridge' ), __( 'The first note says which field or connection it was. Put that right, then retry.', 'tillsync-bridge' ) ),
			'OUTCOME_TYPE_REQUEST_FAILED'              => array( __( 'The request for the customer type was answered with an error: the comment is that answer.', 'tillsync-bridge' ), __( 'Read the comment, put right what it names, then retry.', 'tillsync-bridge' ) ),
			'OUTCOME_DUPLICATE_EMAIL'                  => array( __( 'The till has several customers with this email, so none could be chosen safely.', 'tillsync-bridge' ), __( 'Choose the right customer here, or join the duplicates at the till and retry.', 'tillsync-bridge' ) ),
			'OUTCOME_CUSTOMER_NOT_MATCHED'             => array( __( 'No till customer could be matched or created for this order.', 'tillsync-bridge' ), __( 'Check the customer\'s data on the order and the notes here. You can choose the customer by hand.', 'tillsync-bridge' ) ),
			'OUTCOME_PRODUCT_AND_CUSTOMER_NOT_MATCHED' => array( __( 'Both the customer and some products of this order have no partner at the till.', 'tillsync-bridge' ), __( 'Check the customer\'s data and the links of the products named in the notes.', 'tillsync-bridge' ) ),
			'OUTCOME_PRODUCT_NOT_MATCHED'              => array( __( 'The customer is matched, but some products of this order are not linked to the till.', 'tillsync-bridge' ), __( 'Link the products named in the notes, then retry.', 'tillsync-bridge' ) ),
			'OUTCOME_MATCHED_LINK'                     => array( __( 'The shopper is linked to this till customer.', 'tillsync-bridge' ), $nothing ),
			'OUTCOME_MATCHED_EMAIL'                    => array( __( 'Exactly one till customer has the email of this order.', 'tillsync-bridge' ), __( 'No action needed. The notes say whether the two are linked now.', 'tillsync-bridge' ) ),
			'OUTCOME_CUSTOMER_CREATED'                 => array( __( 'No till customer had the email of this order, so one was created.', 'tillsync-bridge' ), __( 'No action needed. The notes say whether the two are linked now.', 'tillsync-bridge' ) ),
			'OUTCOME_DEFAULT_CUSTOMER'                 => array( __( 'The order goes to the default till customer.', 'tillsync-bridge' ), __( 'No action needed. The notes say why it is not a customer of its own.', 'tillsync-bridge' ) ),
		);
	}

	/** @return array<string, array{meaning: string, what_to_do: string}> Texts by code; empty when the service did not answer. */
	private function catalogue(): array {
		$stored = get_transient( self::CATALOGUE );
		if ( is_array( $stored ) ) {
			return $stored;
		}
		$messages = array();
		try {
			$connection = $this->service_client->connection();
			$answer     = $this->service_client->call_with( $connection->url, $connection->token, 'CatalogService', 'ListMessages', array(), 3 );
			foreach ( (array) ( $answer['messages'] ?? array() ) as $message ) {
				if ( is_array( $message ) && is_string( $message['outcome'] ?? null ) ) {
					$messages[ $message['outcome'] ] = array( 'meaning' => (string) ( $message['meaning'] ?? '' ), 'what_to_do' => (string) ( $message['whatToDo'] ?? '' ) );
				}
			}
		} catch ( ServiceError $error ) {
			return array();
		}
		set_transient( self::CATALOGUE, $messages, DAY_IN_SECONDS );
		return $messages;
	}
}
